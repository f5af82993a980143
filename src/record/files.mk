libweir_a_SOURCES += \
    src/record/arena.c src/record/arena.h \
    src/record/batch.c src/record/batch.h \
    src/record/lines.c src/record/lines.h \
    src/record/pool.c src/record/pool.h \
    src/record/record.c src/record/record.h \
    src/record/ticket.c src/record/ticket.h \
    src/record/wire.c src/record/wire.h
