libweir_a_SOURCES += \
    src/delivery/checkpoint.c src/delivery/checkpoint.h \
    src/delivery/checkpoint_format.c \
    src/delivery/ledger.c src/delivery/ledger.h
