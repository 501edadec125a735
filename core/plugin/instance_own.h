/* core/plugin/instance_own.h: what find.c asks of instance_ops.c. Private to the
 * room. Each begins `c`; the caller reads its outputs and ends it, also on
 * failure. */
#ifndef ES_PLUGIN_INSTANCE_OWN_H
#define ES_PLUGIN_INSTANCE_OWN_H

#include "core/plugin/call.h"
#include "core/plugin/instance.h"

int es_instance_list(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                     const json_t *find, const char *prefix, struct es_error *err);
int es_instance_get_batch(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                          const char *const *keys, size_t count, struct es_error *err);
/* The same for remoteRefs, with their properties where the plugin wants them. */
int es_instance_get_refs(struct es_instance *i, struct esp_call *c, const struct es_authority *who,
                         const json_t *const *refs, size_t count, struct es_error *err);

/* Has it get_batch, and the rights to use it? */
bool es_instance_has_batch(const struct es_instance *i);
void es_instance_no_batch(struct es_instance *i); /* it has not: from now on each is read by itself */

/* ESP_CAP_WHOLE_VALUES */
bool es_instance_is_whole(const struct es_instance *i);

/* The key of a `get` of this reference among shared reads; NULL without memory, or when the
 * reference is none. es_mem_free it. `ret_unfit` as in es_read_call, for what is read under it. */
char *es_instance_get_key(struct es_instance *i, const struct es_authority *who, const json_t *ref,
                          const bool **ret_unfit);

/* The answer of `read`, or of somebody else's read of the same: `what` says, beside
 * instance and operation, all that decides about it. Only where
 * es_reading_shares(who->reading). `read` leaves `ret` empty when it fails. */
int es_instance_share(struct es_instance *i, const struct es_authority *who, enum es_op op, const char *what,
                      int (*read)(void *ctx, struct es_values *ret, struct es_error *err), void *ctx,
                      struct es_values *ret, struct es_error *err);

#endif
