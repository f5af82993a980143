libweir_a_SOURCES += \
    src/agent/agent.c src/agent/agent.h src/agent/agent_state.h \
    src/agent/disk_queue.c src/agent/disk_queue.h src/agent/disk_queue_out.c src/agent/disk_queue_state.h \
    src/agent/dry_chain.c src/agent/dry_chain.h \
    src/agent/dry_diff.c src/agent/dry_diff.h \
    src/agent/dry_flow.c src/agent/dry_flow.h \
    src/agent/dry_input.c src/agent/dry_input.h \
    src/agent/dry_run.c src/agent/dry_run.h \
    src/agent/dry_sheet.c src/agent/dry_sheet.h \
    src/agent/leftover.c src/agent/leftover.h \
    src/agent/pipeline.c src/agent/pipeline.h \
    src/agent/pipeline_build.c src/agent/pipeline_state.h \
    src/agent/queue.c src/agent/queue.h \
    src/agent/reload.c \
    src/agent/slot.c \
    src/agent/tally.c src/agent/tally.h
