/* core/http/stall.h: getting forgotten data out of shared connections.
 *
 * Two defects of libcurl can leave an answer lying inside it while the socket
 * is silent, so that nothing ever wakes the transfer:
 *
 * 1. Before 8.1: an answer that fills its buffer halts the parsing of the
 *    whole HTTP/2 connection until it is read on. If it ends right there, what
 *    was received of the other answers stays unparsed.
 * 2. A transfer that reads what belongs to another sets a timer of 0 ms for
 *    that one. When a transfer starts later in the same round of
 *    curl_multi_perform, the clock is read again and the timer, which now
 *    lies in the past, is dropped as if it had been served.
 *
 * The cure for the first is to make libcurl believe the socket is readable;
 * for the second, any further round. Both are applied at once where the
 * cause is known to have been, and else after some silence, ever more
 * seldom: an exchange that waits for its server costs a look or two. */
#ifndef ES_HTTP_STALL_H
#define ES_HTTP_STALL_H

#include "core/http/exchange.h"

/* true: the end of `x`, with its slot still there, may have been case 1. */
bool es_stall_suspect(const struct es_exchange *x);

/* Treats all of a list at once. curl_multi_perform is to follow. */
void es_stall_cure(struct es_exchange *list);

/* For every exchange on a shared connection, before each sleep: treats it
 * when it was silent for long enough. Returns for how many ms to sleep at
 * most, 0 when it was treated. */
int64_t es_stall_look(struct es_exchange *x, int64_t now_ms);

#endif
