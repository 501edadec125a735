/* core/http/pump.h: what runs a libcurl multi handle by its sockets.
 *
 * curl_multi_perform looks at every transfer in every round, with a system
 * call each. Where transfers have connections of their own, an epoll set that
 * says which socket has something, and curl_multi_socket_action for just that
 * one, cost a fraction. Not for connections that transfers share: what is
 * forgotten there (stall.h) is only found by looking at all.
 *
 * One thread makes, runs and frees it; es_pump_wake may be called by any. */
#ifndef ES_HTTP_PUMP_H
#define ES_HTTP_PUMP_H

#include <curl/curl.h>
#include <stdint.h>

struct es_pump;

/* Takes over the multi handle's sockets and timer; freed after it. ES_E_NOMEM
 * (file descriptors may be what is missing). */
int es_pump_new(struct es_pump **ret, CURLM *multi);
void es_pump_free(struct es_pump *p); /* NULL is fine */

/* Sleeps until a socket is ready, libcurl's timer is due, es_pump_wake was
 * called or `nap_ms` are over. Nothing is sent or received meanwhile, so that who
 * was stopped in this sleep can think again before anything is. */
void es_pump_wait(struct es_pump *p, int nap_ms);

/* Lets libcurl work on the sockets that were ready, and do what is due by
 * time: also what was added just now. */
void es_pump_run(struct es_pump *p);

/* Ends the sleep of es_pump_wait, or the next one. */
void es_pump_wake(struct es_pump *p);

#endif
