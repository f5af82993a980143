#include "record/expr_time.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "record/civil.h"
#include "record/scratch.h"
#include "record/time_read.h"
#include "record/time_write.h"

/* Seconds as a time. A double has a tenth of a microsecond of these days' times. */
static bool to_time(const struct value *v, int64_t *out)
{
    double d, whole;
    if (!value_to_double(v, &d) || fabs(d) > 1e11)
        return false;
    whole = floor(d);
    double nano = (d - whole) * 1e9;
    return civil_time((int64_t)whole, (int32_t)(nano < 999999999 ? nano : 999999999), out);
}

struct value expr_time_format(const struct expr_call *c)
{
    struct buf *work = &c->scratch->work;
    struct value format;
    int64_t time;
    if (!to_time(&c->args[0], &time) || !value_plain(&c->args[1], c->scratch, &format) ||
        time_write_check(format.u.s, format.len, NULL) != 0)
        return value_null();
    work->len = 0;
    work->failed = false;
    time_write(work, format.u.s, format.len, time, NULL);
    char *text = work->failed || work->len > UINT32_MAX ? NULL : scratch_text(c->scratch, work->len);
    if (text == NULL)
        return value_null();
    if (work->len > 0)
        memcpy(text, work->data, work->len);
    return value_string(text, work->len);
}

struct value expr_time_parse(const struct expr_call *c)
{
    struct time_place utc = {NULL, 0};
    struct time_found found;
    struct value s;
    if (!value_plain(&c->args[0], c->scratch, &s) || time_read_rfc3339(s.u.s, s.len, &utc, &found) != NULL)
        return value_null();
    if (found.time % CIVIL_SECOND == 0)
        return value_int(found.time / CIVIL_SECOND);
    return value_double((double)(found.time / CIVIL_SECOND) + (double)(found.time % CIVIL_SECOND) / 1e9);
}

int expr_time_check(const struct expr_function *f, const struct expr_instr *last, struct err *e)
{
    if (f->run != expr_time_format || last->op != OP_CONST || last->u.value.type != VALUE_STRING)
        return 0;
    return time_write_check(last->u.value.u.s, last->u.value.len, e);
}
