libweir_a_SOURCES += \
    src/transform/compress.c src/transform/compress.h \
    src/transform/container.c src/transform/container.h \
    src/transform/cri.c \
    src/transform/csv.c \
    src/transform/dedupe.c \
    src/transform/docker.c \
    src/transform/filter.c src/transform/filter.h \
    src/transform/gunzip.c \
    src/transform/gzip.c \
    src/transform/gzip_isal.c src/transform/gzip_isal.h \
    src/transform/json.c \
    src/transform/keep.c \
    src/transform/keyed.c src/transform/keyed.h \
    src/transform/logfmt.c \
    src/transform/lz4.c \
    src/transform/multiline.c \
    src/transform/preset.c src/transform/preset.h \
    src/transform/redact.c src/transform/redact_rule.c src/transform/redact_rule.h \
    src/transform/regex.c \
    src/transform/remove.c \
    src/transform/rename.c \
    src/transform/sample.c \
    src/transform/sensitive.c src/transform/sensitive.h src/transform/sensitive_token.c src/transform/sensitive_token.h \
    src/transform/set.c \
    src/transform/syslog_parse.c src/transform/syslog_read.c src/transform/syslog_read.h \
    src/transform/throttle.c \
    src/transform/timestamp.c \
    src/transform/types.c src/transform/types.h \
    src/transform/zstd.c
