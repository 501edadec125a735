/* core/controller/provision_news.h: where a ClusterExternalSecret or ClusterPushSecret has to look again.
 *
 * A pass over two thousand namespaces takes 85 ms of CPU, and fifty parents may select
 * the same ones. So an event says at which namespace something is new, and the next
 * pass looks at those alone. It looks at all of them when it is the first, when the last one
 * failed, when the parent was edited, and once in each of its intervals. Any thread. */
#ifndef ES_CONTROLLER_PROVISION_NEWS_H
#define ES_CONTROLLER_PROVISION_NEWS_H

#include <jansson.h>
#include <stdint.h>

#include "core/controller/controller.h"

struct es_provision_news;

struct es_provision_news *es_provision_news_new(void); /* NULL without memory */
void es_provision_news_free(struct es_provision_news *n);

/* Something is new at `ns`; the next pass of this parent has to see to it. */
void es_provision_news_at(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                          const char *ns);

/* The next pass has to look at all, or the parent has gone. */
void es_provision_news_all(struct es_provision_news *n, enum es_controller_id id, const char *parent);

/* A pass begins. The namespaces that it has to look at, as keys of an object; NULL: all.
 * What is new from here on is for the next pass. */
json_t *es_provision_news_take(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                               int64_t now_ms, int64_t interval_ms);

/* A pass that began at `began_ms` and looked at all of them left everything in order. */
void es_provision_news_complete(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                                int64_t began_ms);

/* How long until all are to be looked at again. */
int64_t es_provision_news_left_ms(struct es_provision_news *n, enum es_controller_id id, const char *parent,
                                  int64_t now_ms, int64_t interval_ms);

#endif
