/* tests/unit/plugin/probe.h: a plugin inside the test program. Its tables may be
 * changed by a test before it is registered; probe_reset makes it right again. */
#ifndef TESTS_PLUGIN_PROBE_H
#define TESTS_PLUGIN_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/plugin/instance.h"
#include "core/plugin/registry.h"
#include "esp/plugin.h"

/* A store with open, close and get. Each open counts in probe_opened, each close
 * in probe_closed. `get` emits "value" and does what probe_act says, if set. */
extern struct esp_plugin probe_plugin;
extern struct esp_component probe_component;
extern struct esp_store_ops probe_ops;
extern esp_status (*probe_act)(struct esp_call *call, const struct esp_request *request);
extern int probe_opened, probe_closed; /* atomically */

/* The host's table, as the plugin sees it. */
extern const struct esp_host *const probe_host;

/* host->fail, whose name cmocka has taken. */
esp_status probe_fail(struct esp_call *call, esp_status status, uint64_t retry_after_ms, const char *why);

void probe_reset(void);
/* Has plugins run where ESOD_TEST_ISOLATION says ("process"), which the build sets
 * for the second run of some tests; else in this process. */
void probe_isolate(struct es_registry *r);
bool probe_isolated(void);

struct es_registry *probe_registry(const struct es_services *services); /* with the probe in it */
struct es_registry *probe_registry_with(const struct es_services *services,
                                        const struct es_plugin_entry *entry); /* the same, from this entry */
struct es_instance *probe_open(const struct es_registry *r, const struct es_authority *who);

/* A SecretStore "team/store" with this JSON as its block, used from "team".
 * The block is freed by probe_who_free. */
struct es_authority probe_who(const char *spec);
struct es_authority probe_cluster_who(const char *spec,
                                      const char *consumer); /* a ClusterSecretStore "store" */
void probe_who_free(struct es_authority *who);

/* Runs `get` with probe_act = act; the error goes to *err, the value is dropped. */
int probe_get(const struct es_registry *r, const struct es_authority *who,
              esp_status (*act)(struct esp_call *, const struct esp_request *), struct es_error *err);

/* A cluster that has "s3cr3t-token" in the Secret team/ours, at key "token"; anything
 * else fails the test. */
int probe_kube_read(void *ctx, const struct es_authority *who, enum es_kube_read what, const char *ns,
                    const char *name, const char *key, struct es_blob *ret, struct es_error *err);

json_t *parse(const char *text);
esp_bytes bytes(const char *text);

/* Fails the test unless this was the result, with exactly this text. */
void assert_error(int rc, const struct es_error *err, int code, const char *text);

#endif
