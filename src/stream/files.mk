libweir_a_SOURCES += src/stream/stream.h
