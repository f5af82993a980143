/*
 * What is found in any text lies in it, in order; when it is replaced, nothing is found any more but what the pieces around it make together;
 * what is not found is not touched.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transform/redact_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + (size == 0));
    struct buf out = {0};
    struct redact_rule rule = {.count = SENSITIVE_KINDS, .replacement = " {name}|{hash} ", .key = "key"};
    memcpy(text, data, size);
    for (int k = 0; k < SENSITIVE_KINDS; k++) {
        size_t start, end, from = 0;
        while (sensitive_find((enum sensitive_kind)k, text, size, from, &start, &end)) {
            assert(start >= from && end > start && end <= size);
            from = end;
        }
        rule.patterns[k] = (struct redact_pattern){.name = sensitive_names[k], .kind = (enum sensitive_kind)k};
    }
    bool hits = redact_rule_hits(&rule, text, size);
    enum redact_result result = redact_rule_apply(&rule, text, size, &out);
    assert(hits == (result == REDACT_CHANGED) && hits == (out.len > 0));
    unsigned count = 0;
    for (int k = 0; k < SENSITIVE_KINDS; k++)
        count += rule.patterns[k].hits;
    assert((count > 0) == hits);
    free(text);
    buf_clear(&out);
    redact_rule_clear(&rule);
    return 0;
}
