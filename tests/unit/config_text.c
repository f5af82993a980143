#include "config_text.h"

#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"
#include "config_stages.h"
#include "stage/config.h"

char *config_text_report(const char *text)
{
    struct config_report report = {0};
    struct buf out = {0};
    struct config *c = config_parse("w.json", text, strlen(text), config_stages, &report);
    ck_assert(!report.failed);
    ck_assert_msg((c == NULL) == (report.count > 0), "a report or a configuration");
    if (report.count > 0)
        report_text(&report, &out);
    char *copy = mem_strdup(buf_cstr(&out));
    config_free(&c);
    report_clear(&report);
    buf_clear(&out);
    return copy;
}

struct config *config_text_good(const char *text)
{
    struct config_report report = {0};
    struct buf out = {0};
    struct config *c = config_parse("w.json", text, strlen(text), config_stages, &report);
    if (c == NULL)
        report_text(&report, &out);
    ck_assert_msg(c != NULL, "%s", buf_cstr(&out));
    buf_clear(&out);
    report_clear(&report);
    return c;
}
