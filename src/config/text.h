/*
 * text: what is UTF-8 and what can be made UTF-8 (base/utf8.h says what that is).
 */
#ifndef WEIR_CONFIG_TEXT_H
#define WEIR_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Are the ${len} bytes at ${text} UTF-8? */
bool text_valid(const char *text, size_t len);

/* Replace every byte of the string ${text} that belongs to no character by '?'. */
void text_repair(char *text);

#endif
