libweir_a_SOURCES += \
    src/cli/check.c \
    src/cli/cli.c src/cli/cli.h \
    src/cli/commands.c \
    src/cli/dry_json.c src/cli/dry_print.h src/cli/dry_run.c src/cli/dry_text.c \
    src/cli/flags.c src/cli/flags.h \
    src/cli/help.c \
    src/cli/list.c \
    src/cli/load.c src/cli/load.h \
    src/cli/progress.c src/cli/progress.h \
    src/cli/run.c \
    src/cli/schema.c \
    src/cli/version.c
