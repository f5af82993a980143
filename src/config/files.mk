libweir_a_SOURCES += src/config/option.h
