libweir_a_SOURCES += \
    src/net/tls.h \
    src/net/tls_options.c
if OPENSSL
libweir_a_SOURCES += \
    src/net/tls.c \
    src/net/tls_context.c \
    src/net/tls_marks.c src/net/tls_marks.h \
    src/net/tls_reason.c \
    src/net/tls_state.h
else
libweir_a_SOURCES += src/net/tls_absent.c
endif
