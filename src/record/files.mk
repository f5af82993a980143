libweir_a_SOURCES += \
    src/record/arena.c src/record/arena.h \
    src/record/batch.c src/record/batch.h src/record/batch_part.c \
    src/record/civil.c src/record/civil.h \
    src/record/doc.c src/record/doc.h src/record/doc_record.c src/record/doc_walk.c \
    src/record/expr.c src/record/expr.h src/record/expr_calc.c src/record/expr_code.h \
    src/record/expr_compile.h src/record/expr_const.c \
    src/record/expr_eval.c src/record/expr_func.c src/record/expr_lex.c src/record/expr_lex.h \
    src/record/expr_time.c src/record/expr_time.h \
    src/record/jscan.c src/record/jscan.h src/record/jscan_plain.h src/record/jscan_find.c \
    src/record/jscan_string.c src/record/jscan_string.h \
    src/record/lines.c src/record/lines.h \
    src/record/number.c src/record/number.h \
    src/record/pack.c src/record/pack.h \
    src/record/path.c src/record/path.h \
    src/record/pool.c src/record/pool.h \
    src/record/record.c src/record/record.h \
    src/record/regex.c src/record/regex.h \
    src/record/render.c src/record/render.h \
    src/record/scratch.c src/record/scratch.h \
    src/record/ticket.c src/record/ticket.h \
    src/record/time_pattern.c src/record/time_pattern.h src/record/time_read.c src/record/time_read.h \
    src/record/time_words.h src/record/time_write.c src/record/time_write.h \
    src/record/value.c src/record/value.h \
    src/record/wire.c src/record/wire.h \
    src/record/zone.c src/record/zone.h src/record/zone_rule.c src/record/zone_rule.h
