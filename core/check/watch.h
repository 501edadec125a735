/* core/check/watch.h: the host table that the checker gives to a plugin.
 *
 * Each service first notes that it was asked, by whom and when, and then does what
 * the core's own one does, with two differences: http is answered by the trial's
 * script, and what is handed out lies right before a page that nobody may touch. */
#ifndef ES_CHECK_WATCH_H
#define ES_CHECK_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp/plugin.h"

/* Says whatever is planted and comes by in a text for people. Off at first: the
 * check `secrets` is the one that asks. */
void es_watch_secrets(bool on);

/* http goes to the core's transport. For --live. */
void es_watch_live(bool on);

/* What a core of this version would hand out. */
struct es_watch_host {
    uint16_t major, minor;
    size_t size;      /* less than today's: cut; more: bytes that are no addresses follow */
    bool no_services; /* all of them are NULL */
};

/* A table that ends where a page begins that nobody may touch, and stays for ever. */
const struct esp_host *es_watch_table(const struct es_watch_host *host);

/* Today's. */
const struct esp_host *es_watch_today(void);

/* The size of the table of minor version `minor`, which is not above ours. */
size_t es_watch_size_of(unsigned minor);

#endif
