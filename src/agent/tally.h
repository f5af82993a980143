/*
 * tally: what became of the records of a pipeline that ran to its end (--once), for the log.
 *
 *     info  app: read 12 files, 300000 records, 12.3 MiB
 *     info  app/tcp: 299000 records delivered, 12.1 MiB
 *     info  app/filter: 990 records dropped (where)
 *     warn  app/tail: 2 files could not be read to their end
 */
#ifndef WEIR_AGENT_TALLY_H
#define WEIR_AGENT_TALLY_H

#include <stdbool.h>

struct pipeline;

/* Write it to the log. False: something could not be read to its end. */
bool tally(struct pipeline *p);

#endif
