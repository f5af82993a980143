libweir_a_SOURCES += \
    src/source/glob.c src/source/glob.h \
    src/source/stdin.c \
    src/source/tail.c src/source/tail.h \
    src/source/tail_file.c \
    src/source/tail_files.c \
    src/source/tail_log.c \
    src/source/tail_open.c \
    src/source/tail_places.c \
    src/source/watch.c src/source/watch.h
