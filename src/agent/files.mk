libweir_a_SOURCES += \
    src/agent/agent.c src/agent/agent.h \
    src/agent/pipeline.c src/agent/pipeline.h \
    src/agent/queue.c src/agent/queue.h
