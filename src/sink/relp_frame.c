#include "sink/relp_frame.h"

#include <string.h>

#define DIGITS_MAX 9

void relp_frame_reset(struct relp_frame *f)
{
    f->part = RELP_IN_NONE;
    f->bad = NULL;
}

static void begin(struct relp_frame *f)
{
    f->part = RELP_IN_TXNR;
    f->txnr = f->length = 0;
    f->digits = 0;
    f->have = 0;
    f->bad = NULL;
}

static enum relp_progress refuse(struct relp_frame *f, const char *why)
{
    f->bad = why;
    return RELP_BAD;
}

/* Add a digit of ${number}. False: ${c} is none, or one too many. */
static bool add_digit(struct relp_frame *f, uint32_t *number, char c)
{
    if (c < '0' || c > '9' || f->digits == DIGITS_MAX)
        return false;
    *number = *number * 10 + (uint32_t)(c - '0');
    f->digits++;
    return true;
}

static enum relp_progress in_txnr(struct relp_frame *f, char c)
{
    if (c == ' ' && f->digits > 0)
        f->part = RELP_IN_COMMAND;
    else if (!add_digit(f, &f->txnr, c))
        return refuse(f, "what it sends does not begin with a transaction number");
    return RELP_MORE;
}

static enum relp_progress in_command(struct relp_frame *f, char c)
{
    if (c == ' ' && f->have > 0) {
        f->command[f->have] = '\0';
        f->part = RELP_IN_LENGTH;
        f->digits = 0;
        return RELP_MORE;
    }
    if (((c | 0x20) < 'a' || (c | 0x20) > 'z') || f->have == RELP_COMMAND_MAX)
        return refuse(f, "there is no command behind a transaction number");
    f->command[f->have++] = c;
    return RELP_MORE;
}

static enum relp_progress in_end(struct relp_frame *f, char c)
{
    if (c != '\n')
        return refuse(f, "a frame does not end where its length says");
    f->data[f->length] = '\0';
    f->part = RELP_IN_NONE;
    return RELP_WHOLE;
}

static enum relp_progress in_length(struct relp_frame *f, char c)
{
    if (f->digits == 0 || (c != ' ' && c != '\n')) {
        if (!add_digit(f, &f->length, c))
            return refuse(f, "there is no length behind a command");
        return RELP_MORE;
    }
    if (f->length > RELP_DATA_MAX)
        return refuse(f, "an answer says that it is longer than any can be");
    f->have = 0;
    if (f->length == 0 || c == '\n') { /* some write the space that belongs in front of data also where there is none */
        f->part = RELP_IN_END;
        return c == ' ' ? RELP_MORE : f->length == 0 ? in_end(f, c) : refuse(f, "there is no data behind a length");
    }
    f->part = RELP_IN_DATA;
    return RELP_MORE;
}

/* Copy what belongs to the data; returns how much that was. */
static size_t in_data(struct relp_frame *f, const char *data, size_t len)
{
    size_t n = f->length - f->have < len ? f->length - f->have : len;
    memcpy(f->data + f->have, data, n);
    f->have += n;
    if (f->have == f->length)
        f->part = RELP_IN_END;
    return n;
}

enum relp_progress relp_frame_read(struct relp_frame *f, const char *data, size_t len, size_t *used)
{
    enum relp_progress progress = RELP_MORE;
    size_t at = 0;
    if (f->part == RELP_IN_NONE)
        begin(f);
    while (progress == RELP_MORE && at < len) {
        if (f->part == RELP_IN_DATA) {
            at += in_data(f, data + at, len - at);
            continue;
        }
        char c = data[at++];
        switch (f->part) {
        case RELP_IN_TXNR: progress = in_txnr(f, c); break;
        case RELP_IN_COMMAND: progress = in_command(f, c); break;
        case RELP_IN_LENGTH: progress = in_length(f, c); break;
        case RELP_IN_END: progress = in_end(f, c); break;
        case RELP_IN_DATA:
        case RELP_IN_NONE: break; /* not here */
        }
    }
    *used = at;
    return progress;
}

bool relp_frame_answer(const struct relp_frame *f, struct relp_answer *out)
{
    const char *at = f->data;
    out->code = 0;
    for (int i = 0; i < 3; i++, at++) {
        if (*at < '0' || *at > '9')
            return false;
        out->code = out->code * 10 + (*at - '0');
    }
    if (*at != ' ' && *at != '\n' && *at != '\0')
        return false;
    at += *at == ' ';
    size_t len = strcspn(at, "\n"), kept = len < RELP_WORDS_MAX ? len : RELP_WORDS_MAX;
    memcpy(out->words, at, kept);
    out->words[kept] = '\0';
    out->rest = at + len + (at[len] == '\n');
    return true;
}

/* Is ${word} among the values, separated by commas, of the offer ${name}? */
static bool offers(const char *offers, const char *name, const char *word)
{
    size_t n = strlen(name), m = strlen(word);
    for (const char *line = offers; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, name, n) != 0 || line[n] != '=')
            continue;
        for (const char *at = line + n; *at == '=' || *at == ','; at += 1 + strcspn(at + 1, ",\n"))
            if (strncmp(at + 1, word, m) == 0 && strcspn(at + 1, ",\n") == m)
                return true;
    }
    return false;
}

const char *relp_frame_refusal(const char *text)
{
    if (!offers(text, "relp_version", "0") && !offers(text, "relp_version", "1"))
        return "relp_version 0 or 1";
    return offers(text, "commands", "syslog") ? NULL : "the command syslog";
}

static size_t put_number(char *out, size_t number)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

size_t relp_frame_head(char *out, uint32_t txnr, const char *command, size_t length)
{
    size_t n = put_number(out, txnr);
    out[n++] = ' ';
    memcpy(out + n, command, strlen(command));
    n += strlen(command);
    out[n++] = ' ';
    n += put_number(out + n, length);
    if (length > 0)
        out[n++] = ' ';
    return n;
}
