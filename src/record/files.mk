libweir_a_SOURCES += \
    src/record/arena.c src/record/arena.h \
    src/record/batch.c src/record/batch.h \
    src/record/jscan.c src/record/jscan.h src/record/jscan_plain.h src/record/jscan_find.c \
    src/record/jscan_string.c src/record/jscan_string.h \
    src/record/pool.c src/record/pool.h \
    src/record/record.c src/record/record.h \
    src/record/ticket.c src/record/ticket.h
