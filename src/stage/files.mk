libweir_a_SOURCES += \
    src/stage/claims.c src/stage/claims.h \
    src/stage/config.c src/stage/config.h src/stage/config_same.c \
    src/stage/dead_letter.c src/stage/dead_letter.h \
    src/stage/each.c src/stage/each.h \
    src/stage/exact.c src/stage/exact.h \
    src/stage/join.c src/stage/join.h \
    src/stage/join_group.c src/stage/join_group.h \
    src/stage/join_settle.c src/stage/join_settle.h \
    src/stage/manual.c src/stage/manual.h \
    src/stage/payload.c src/stage/payload.h \
    src/stage/pipeline_config.c src/stage/pipeline_config.h \
    src/stage/read.c src/stage/read.h \
    src/stage/reference.c src/stage/reference.h \
    src/stage/schema.c src/stage/schema.h \
    src/stage/schema_option.c src/stage/schema_option.h \
    src/stage/stage.c src/stage/stage.h \
    src/stage/stages.c src/stage/stages.h \
    src/stage/walk.c src/stage/walk.h
