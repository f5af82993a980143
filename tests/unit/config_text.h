/*
 * config_text: a configuration in a string, and what the report says about it.
 */
#ifndef WEIR_TESTS_CONFIG_TEXT_H
#define WEIR_TESTS_CONFIG_TEXT_H

struct config;

/* Parse ${text} as w.json with config_stages. The report, as text; "" when there is no problem. Free with mem_free. */
char *config_text_report(const char *text);

/* Parse ${text}, which must be good. Free with config_free. */
struct config *config_text_good(const char *text);

/* A configuration with one pipeline p of these stages, each a list of objects in text. */
#define PIPELINE(sources, transforms, sinks)                                                       \
    "{\"pipelines\":{\"p\":{\n\"sources\":[" sources "],\n\"transforms\":[" transforms             \
    "],\n\"sinks\":[" sinks "]}}}"
#define TAIL "{\"type\":\"tail\",\"include\":\"a\"}"
#define TCP  "{\"type\":\"tcp\",\"address\":\"a:1\"}"

#endif
