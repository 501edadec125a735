#include "core/cmd/pages.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cmd/trouble.h"
#include "core/cmd/version.h"
#include "core/ops/pulse.h"
#include "core/ops/reviewer.h"
#include "core/ops/server.h"

#define REVIEW_TIMEOUT_MS 5000

struct es_pages {
    struct es_daemon *daemon;
    bool running;    /* atomic */
    int64_t beat_ms; /* of the main loop; atomic */
    char *cert_file, *key_file;
    struct es_reviewer *reviewer; /* NULL: everybody may read the metrics */
    struct es_server *server;
};

/* ---- is it ready? ---- */

static void tell_caches(const struct es_env *env, struct es_buf *notes)
{
    struct es_cache *const caches[] = {env->external_secrets, env->secret_stores, env->cluster_secret_stores,
                                       env->targets, env->namespaces};

    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++)
        if (caches[i])
            es_buf_addf(notes, "[%c] cache of %s\n", es_cache_synced(caches[i]) ? '+' : '-',
                        es_cache_opts_of(caches[i])->kind->kind);
}

static void tell_plugins(const struct es_registry *r, struct es_buf *notes)
{
    const struct es_plugin *const *plugins;
    size_t count = es_registry_plugins(r, &plugins);

    for (size_t i = 0; i < count; i++)
        es_buf_addf(notes, "[+] plugin %s\n", plugins[i]->name);
}

static void note_refusals(const struct es_registry *r, struct es_buf *notes)
{
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_refusals(r, &refusals);

    for (size_t i = 0; i < count; i++)
        es_buf_addf(notes, "optional plugin %s: %s\n", refusals[i].name, refusals[i].reason);
}

static bool is_ready(void *ctx, bool verbose, struct es_buf *notes)
{
    struct es_pages *p = ctx;
    const struct es_env *env = &p->daemon->env;
    bool ready = __atomic_load_n(&p->running, __ATOMIC_ACQUIRE);

    if (verbose) {
        tell_caches(env, notes);
        tell_plugins(env->registry, notes);
        es_buf_addf(notes, "[%c] workers\n", ready ? '+' : '-');
    }
    size_t before = notes->len;
    es_trouble_describe(notes, env->cluster, p->daemon->config);
    if (!ready && notes->len == before)
        es_buf_adds(notes, "the first lists are still being read\n");
    if (p->daemon->election)
        es_election_describe(p->daemon->election, notes);
    note_refusals(env->registry, notes);
    return ready;
}

/* ---- does it move? ---- */

static bool is_alive(void *ctx, struct es_buf *notes)
{
    struct es_pages *p = ctx;
    int64_t now_ms = es_mono_ms();
    const struct es_pulse loop = {"the main loop", __atomic_load_n(&p->beat_ms, __ATOMIC_RELAXED)},
                          transport = {"the transport", es_http_beat_ms(p->daemon->http)};

    bool loop_moves = es_pulse_moves(&loop, now_ms, notes);
    return es_pulse_moves(&transport, now_ms, notes) && loop_moves;
}

bool es_pages_alive(struct es_pages *p)
{
    struct es_buf notes;

    es_buf_init(&notes, 1024);
    bool alive = is_alive(p, &notes);
    es_buf_fini(&notes);
    return alive;
}

/* ---- who may read the metrics? ---- */

static unsigned authorize(void *ctx, const char *token)
{
    return es_reviewer_ask(ctx, token);
}

/* The API server is asked with a patience, and a client, of its own. */
static int new_reviewer(struct es_pages *p, struct es_kube_config *take_login, struct es_error *err)
{
    struct es_kube_opts how = {.timeout_ms = REVIEW_TIMEOUT_MS, .user_agent = ES_USER_AGENT};
    struct es_kube *kube = NULL;
    int rc = es_kube_new(&kube, p->daemon->http, take_login, &how, err);

    return rc < 0 ? rc : es_reviewer_new(&p->reviewer, kube, NULL, err);
}

/* ---- life ---- */

static int name_files(struct es_pages *p, struct es_error *err)
{
    const struct es_config *c = p->daemon->config;

    if (!c->metrics_cert_dir)
        return 0;
    p->cert_file = es_strf("%s/%s", c->metrics_cert_dir, c->metrics_cert_name);
    p->key_file = es_strf("%s/%s", c->metrics_cert_dir, c->metrics_key_name);
    return p->cert_file && p->key_file ? 0 : es_error_nomem(err);
}

static int start_server(struct es_pages *p, struct es_error *err)
{
    const struct es_config *c = p->daemon->config;
    struct es_server_opts opts = {.metrics_addr = c->metrics_addr,
                                  .live_addr = c->live_addr,
                                  .metrics = p->daemon->metrics,
                                  .metrics_secure = c->metrics_secure,
                                  .cert_file = p->cert_file,
                                  .key_file = p->key_file,
                                  .authorize = p->reviewer ? authorize : NULL,
                                  .authorize_ctx = p->reviewer,
                                  .alive = is_alive,
                                  .ready = is_ready,
                                  .ctx = p};

    return es_server_new(&p->server, &opts, err);
}

int es_pages_new(struct es_pages **ret, struct es_daemon *d, struct es_kube_config *take_login,
                 struct es_error *err)
{
    struct es_pages *p = calloc(1, sizeof *p);

    if (!p) {
        es_kube_config_free(take_login);
        return es_error_nomem(err);
    }
    p->daemon = d;
    p->beat_ms = es_mono_ms();
    int rc = take_login ? new_reviewer(p, take_login, err) : 0;
    if (rc == 0)
        rc = name_files(p, err);
    if (rc == 0)
        rc = start_server(p, err);
    if (rc < 0) {
        es_pages_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void es_pages_free(struct es_pages *p)
{
    if (!p)
        return;
    es_reviewer_stop(p->reviewer);
    es_server_free(p->server);
    es_reviewer_free(p->reviewer);
    es_mem_free(p->cert_file);
    es_mem_free(p->key_file);
    free(p);
}

void es_pages_tick(struct es_pages *p, bool ready)
{
    __atomic_store_n(&p->beat_ms, es_mono_ms(), __ATOMIC_RELAXED);
    __atomic_store_n(&p->running, ready, __ATOMIC_RELEASE);
    es_server_tick(p->server);
}
