/*
 * Any bytes as a configuration: the stages that are built in, every message rendered. Includes and
 * ${file:…} are not followed into the machine: such inputs are skipped.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"
#include "config/text.h"
#include "stage/config.h"
#include "stage/stages.h"

static int reads_files(const uint8_t *data, size_t size)
{
    /* An escaped letter may hide either word. */
    return memmem(data, size, "include\":", 9) != NULL || memmem(data, size, "file:", 5) != NULL ||
           memmem(data, size, "\\u00", 4) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_report report = {0};
    struct buf out = {0};
    if (reads_files(data, size))
        return 0;
    struct config *c = config_parse("fuzz.json", (const char *)data, size, stages, &report);
    assert((c == NULL) == (report.count > 0));
    report_text(&report, &out);
    report_json(&report, &out);
    assert(!out.failed && text_valid(out.data, out.len));
    for (size_t i = 0; i < report.count; i++)
        assert(report.problems[i].line > 0 && report.problems[i].column > 0);
    config_free(&c);
    report_clear(&report);
    buf_clear(&out);
    assert(mem_live() == 0);
    return 0;
}
