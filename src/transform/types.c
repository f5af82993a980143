#include "transform/types.h"

#include <string.h>

#include "config/report.h"

static const char *const words[] = {"string", "int", "float", "bool"};

static int find_word(const char *word)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

enum text_type types_find(const struct string_map *types, const char *name, size_t len)
{
    for (size_t i = 0; i < types->count; i++)
        if (strlen(types->items[i].key) == len && memcmp(types->items[i].key, name, len) == 0)
            return (enum text_type)find_word(types->items[i].value);
    return TEXT_STRING;
}

struct value types_convert(const char *s, size_t len, enum text_type type)
{
    struct value text = value_string(s, len), number;
    int64_t i;
    switch (type) {
    case TEXT_STRING: break;
    case TEXT_INT:
        if (value_read_number(s, len, &number) && value_is_spelled_int(&number) && value_to_int(&number, &i))
            return number;
        break;
    case TEXT_FLOAT:
        if (value_read_number(s, len, &number))
            return number;
        break;
    case TEXT_BOOL:
        if (len == 4 && memcmp(s, "true", 4) == 0)
            return value_bool(true);
        if (len == 5 && memcmp(s, "false", 5) == 0)
            return value_bool(false);
        break;
    }
    return text;
}

void types_check(const struct string_map *types, struct config_report *report)
{
    for (size_t i = 0; i < types->count; i++)
        if (types->items[i].value != NULL && find_word(types->items[i].value) < 0)
            report_key(report, "types", "%s: expected \"string\", \"int\", \"float\" or \"bool\", got \"%s\"",
                       types->items[i].key, types->items[i].value);
}
