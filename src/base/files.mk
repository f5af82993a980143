libweir_a_SOURCES += \
    src/base/buf.c src/base/buf.h \
    src/base/chunk.h \
    src/base/err.c src/base/err.h \
    src/base/fault.c src/base/fault.h \
    src/base/file.c src/base/file.h \
    src/base/list.h \
    src/base/log.c src/base/log.h \
    src/base/loop.c src/base/loop.h \
    src/base/mem.c src/base/mem.h \
    src/base/nearest.c src/base/nearest.h \
    src/base/quiet.c src/base/quiet.h \
    src/base/sha256.c src/base/sha256.h \
    src/base/siphash.c src/base/siphash.h \
    src/base/utf8.h \
    src/base/work.c src/base/work.h
