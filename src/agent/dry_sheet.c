#include "agent/dry_sheet.h"

#include "agent/dry_diff.h"
#include "base/mem.h"

struct dry_step *dry_sheet_step(struct dry_sheet *sheet, const struct dry_step *step)
{
    struct dry_account *a = &sheet->account;
    if (a->step_count == sheet->steps_cap) {
        size_t cap = sheet->steps_cap < 8 ? 8 : sheet->steps_cap * 2;
        struct dry_step *steps = mem_realloc(a->steps, cap * sizeof *steps);
        if (steps == NULL)
            return NULL;
        a->steps = steps;
        sheet->steps_cap = cap;
    }
    a->steps[a->step_count] = *step;
    return &a->steps[a->step_count++];
}

struct dry_output *dry_sheet_output(struct dry_sheet *sheet, const char *sink)
{
    struct dry_account *a = &sheet->account;
    if (a->output_count == sheet->outputs_cap) {
        size_t cap = sheet->outputs_cap < 4 ? 4 : sheet->outputs_cap * 2;
        struct dry_output *outputs = mem_realloc(a->outputs, cap * sizeof *outputs);
        if (outputs == NULL)
            return NULL;
        a->outputs = outputs;
        sheet->outputs_cap = cap;
    }
    struct dry_output *o = &a->outputs[a->output_count++];
    *o = (struct dry_output){.sink = sink};
    return o;
}

void dry_sheet_clear(struct dry_sheet *sheet)
{
    struct dry_account *a = &sheet->account;
    for (size_t i = 0; i < a->step_count; i++)
        dry_changes_free(a->steps[i].changes, a->steps[i].change_count);
    for (size_t i = 0; i < a->output_count; i++) {
        buf_clear(&a->outputs[i].bytes);
        buf_clear(&a->outputs[i].place);
    }
    a->step_count = a->output_count = 0;
}

void dry_sheet_free(struct dry_sheet *sheet)
{
    dry_sheet_clear(sheet);
    mem_free(sheet->account.steps);
    mem_free(sheet->account.outputs);
}
