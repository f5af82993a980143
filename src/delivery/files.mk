libweir_a_SOURCES += \
    src/delivery/checkpoint.c src/delivery/checkpoint.h \
    src/delivery/checkpoint_format.c src/delivery/checkpoint_hold.c src/delivery/checkpoint_state.h \
    src/delivery/cut.c src/delivery/cut.h src/delivery/cut_output.c src/delivery/cut_state.h \
    src/delivery/ledger.c src/delivery/ledger.h \
    src/delivery/spool.c src/delivery/spool.h src/delivery/spool_scan.c src/delivery/spool_write.c \
    src/delivery/spool_dir.c src/delivery/spool_dir.h \
    src/delivery/spool_format.c src/delivery/spool_format.h \
    src/delivery/spool_walk.c src/delivery/spool_walk.h
