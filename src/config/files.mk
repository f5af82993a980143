libweir_a_SOURCES += \
    src/config/address.c src/config/address.h \
    src/config/document.c src/config/document.h \
    src/config/documents.c src/config/documents.h \
    src/config/dump.c src/config/dump.h \
    src/config/node.c src/config/node.h \
    src/config/option.h \
    src/config/options.c src/config/options.h src/config/options_same.c \
    src/config/report.c src/config/report.h \
    src/config/setting.c src/config/setting.h src/config/setting_paths.c src/config/setting_paths.h \
    src/config/substitute.c src/config/substitute.h \
    src/config/text.c src/config/text.h \
    src/config/units.c src/config/units.h
