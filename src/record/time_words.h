/*
 * time_words: the English names of months and weekdays that formats of time write and read.
 */
#ifndef WEIR_RECORD_TIME_WORDS_H
#define WEIR_RECORD_TIME_WORDS_H

static const char *const time_months[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};
static const char *const time_weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

#endif
