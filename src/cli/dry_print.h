/*
 * dry_print: a dry run in words, and as JSON lines.
 */
#ifndef WEIR_CLI_DRY_PRINT_H
#define WEIR_CLI_DRY_PRINT_H

#include <stdbool.h>

#include "agent/dry_run.h"

struct buf;

/* For a person. ${color}: with ANSI colours. */
void dry_text_account(struct buf *out, const struct dry_account *a, bool color);
void dry_text_summary(struct buf *out, const struct dry_summary *s, bool color);

/* One object a line; bytes that are not UTF-8 go base64 under "bytes_base64", such input under "input_base64". */
void dry_json_account(struct buf *out, const struct dry_account *a);
void dry_json_summary(struct buf *out, const struct dry_summary *s);

#endif
