/* The SecretStore and ClusterSecretStore controllers: does the store work?
 * Both kinds share spec and status; spec: stores, section 3. */
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/controller/controller.h"
#include "core/controller/status.h"
#include "core/controller/store_ca.h"
#include "core/controller/store_hold.h"
#include "core/controller/store_table.h"
#include "core/controller/tally.h"
#include "core/kube/obj.h"

#define VALIDATION_DEADLINE_MS 60000
#define IGNORE_MAINTENANCE "external-secrets.io/ignore-maintenance-checks"

struct check {
    struct es_env *env;
    const struct es_kind *kind;
    const struct es_store *store;
    const char *component;
    enum es_tally_ready ready; /* what this pass has found; for the metrics */
};

static void say(struct check *c, enum es_event_type type, const char *reason, const char *message)
{
    es_event_record(c->env->events, c->kind, c->store->object, type, reason, c->component, message);
}

/* spec.refreshInterval: seconds as a number, or a duration; 0 or absent: `fallback`. */
static int read_interval(const json_t *object, int64_t fallback_ms, int64_t *ret_ms, struct es_error *err)
{
    const json_t *v = es_obj_at(object, "spec", "refreshInterval");
    int64_t ms = 0;

    if (json_is_integer(v)) {
        if (json_integer_value(v) < 0)
            return es_error_set(err, ES_E_CONFIG, "invalid refreshInterval %lld: must not be negative",
                                (long long)json_integer_value(v));
        if (__builtin_mul_overflow(json_integer_value(v), INT64_C(1000), &ms))
            ms = INT64_MAX / 2;
    } else if (json_is_string(v)) {
        const char *text = json_string_value(v);
        if (es_duration_parse(text, &ms) < 0)
            return es_error_set(err, ES_E_CONFIG,
                                "invalid refreshInterval \"%s\": not a duration like 5m or 1h30m", text);
        if (ms < 0)
            return es_error_set(err, ES_E_CONFIG, "invalid refreshInterval \"%s\": must not be negative",
                                text);
    }
    *ret_ms = ms > 0 ? ms : fallback_ms;
    return 0;
}

static int write_condition(struct check *c, const char *capabilities, const struct es_condition *ready,
                           struct es_error *err)
{
    c->ready = es_streq(ready->status, "True") ? ES_TALLY_TRUE : ES_TALLY_FALSE;
    json_t *status =
        json_pack("{s:o}", "conditions",
                  es_status_conditions(c->store->object, ready, c->env->clock->unix_ms(c->env->clock->ctx)));
    if (status && capabilities)
        json_object_set_new(status, "capabilities", json_string(capabilities));
    int rc = es_status_patch(c->env, c->kind, c->store->object, status, err);
    return rc == ES_E_CONFLICT ? 0 : rc; /* replaced meanwhile: its successor gets a pass of its own */
}

/* Ready=False; returns the failure, so that the engine backs off. */
static int refuse(struct check *c, const char *message, struct es_error *err)
{
    struct es_condition ready = {
        .status = "False", .reason = "InvalidProviderConfig", .message = message, .cause = err->text};
    struct es_error status_err = ES_ERROR_INIT;

    say(c, ES_EVENT_WARNING, "InvalidProviderConfig", err->text);
    if (write_condition(c, NULL, &ready, &status_err) < 0)
        es_log(ES_WARN, "controllers.SecretStore", "the status could not be written",
               ES_F_STR("namespace", c->store->ns), ES_F_STR("name", c->store->name),
               ES_F_STR("error", status_err.text));
    return err->code;
}

static void mention_maintenance(struct check *c, const struct es_provider *p)
{
    if (es_obj_at(c->store->object, "metadata", "annotations", IGNORE_MAINTENANCE))
        return;
    if (p->maintenance == ESP_NOT_MAINTAINED)
        say(c, ES_EVENT_WARNING, "StoreUnmaintained",
            "store isn't currently maintained. Please plan and prepare accordingly.");
    else if (p->maintenance == ESP_DEPRECATED)
        say(c, ES_EVENT_WARNING, "StoreDeprecated",
            "store is deprecated and will be removed on the next minor release. Please plan and prepare "
            "accordingly.");
}

static const char *capabilities_of(const struct es_provider *p)
{
    bool reads = p->caps & ESP_CAP_READ, writes = p->caps & ESP_CAP_WRITE;
    return reads && writes ? "ReadWrite" : writes ? "WriteOnly" : "ReadOnly";
}

static int accept_store(struct check *c, const struct es_provider *p, struct es_error *err)
{
    struct es_condition ready = {.status = "True", .reason = "Valid", .message = "store validated"};

    mention_maintenance(c, p);
    say(c, ES_EVENT_NORMAL, "Valid", "store validated");
    return write_condition(c, capabilities_of(p), &ready, err);
}

/* The store may be fine: it is served, and asked again after the interval. */
static int accept_undecided(struct check *c, struct es_error *err)
{
    struct es_condition ready = {.status = "True",
                                 .reason = "ValidationUnknown",
                                 .message = "could not determine validation status",
                                 .cause = err->text};
    say(c, ES_EVENT_WARNING, "ValidationUnknown", err->text);
    return write_condition(c, NULL, &ready, err);
}

static void warn(void *ctx, const char *text)
{
    say(ctx, ES_EVENT_WARNING, "ValidationWarning", text);
}

static int check_regexes(const json_t *condition, size_t index, struct es_error *err)
{
    json_t *item;
    size_t i;

    json_array_foreach (es_obj_at(condition, "namespaceRegexes"), i, item) {
        struct es_regex *re = NULL;
        int rc = es_regex_new(&re, json_is_string(item) ? json_string_value(item) : "", err);
        es_regex_free(re);
        if (rc < 0)
            return es_error_wrap(err, "failed to compile %zuth namespace regex in %zuth condition: ", i,
                                 index);
    }
    return 0;
}

/* The definitions' own rule says this at the door; the reference's have none. */
static int check_conditions(const json_t *object, struct es_error *err)
{
    json_t *condition;
    size_t i;

    json_array_foreach (es_obj_at(object, "spec", "conditions"), i, condition) {
        int rc = check_regexes(condition, i, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The plugin's own look at the block. */
static int check_block(struct check *c, const struct es_open_store *open, struct es_error *err)
{
    struct es_open_opts opts = {.retry_settings = es_obj_at(c->store->object, "spec", "retrySettings")};
    struct es_blob ca = {0};
    int rc = es_store_ca_bundle(c->store, &ca, err);

    opts.ca_pem = ca.len ? (const char *)ca.ptr : NULL;
    if (rc == 0)
        rc = es_provider_check(c->env->registry, es_instance_provider(open->instance), &open->authority,
                               &opts, warn, c, err);
    es_blob_fini(&ca);
    return rc;
}

static int validate(struct check *c, struct es_error *err)
{
    struct es_env *env = c->env;
    struct es_open_store open = {0};
    int64_t deadline_ms = env->clock->mono_ms(env->clock->ctx) + VALIDATION_DEADLINE_MS;
    int rc = es_store_open(env, c->store, c->store->ns, deadline_ms, &open, err);

    /* Its new version gets a pass of its own. */
    if (rc == ES_E_CONFLICT)
        return 0;
    /* A credential in the consumer's namespace cannot be had without one. */
    if (rc == ES_E_UNDECIDED && c->store->referent)
        return accept_store(c, es_registry_provider(env->registry, c->store->provider), err);
    if (rc < 0)
        return refuse(c, "unable to create client", err);
    const struct es_provider *provider = es_instance_provider(open.instance);
    rc = check_block(c, &open, err);
    if (rc == 0)
        rc = es_instance_validate(open.instance, &open.authority, err);
    es_store_close(env, &open);
    if (rc == 0 || (rc == ES_E_UNDECIDED && !*err->text))
        return accept_store(c, provider, err);
    if (rc == ES_E_UNDECIDED)
        return accept_undecided(c, err);
    return refuse(c, "unable to validate store", err);
}

static void count(struct check *c, int rc, int64_t started_ns)
{
    es_tally_count(c->env->tally,
                   &(struct es_tally_pass){.kind = c->kind->namespaced ? ES_TALLY_SECRET_STORE
                                                                       : ES_TALLY_CLUSTER_SECRET_STORE,
                                           .ns = c->store->ns,
                                           .name = c->store->name,
                                           .object = c->store->object,
                                           .duration_ns = es_mono_ns() - started_ns,
                                           .failed = rc < 0,
                                           .ready = c->ready});
}

static int reconcile(struct es_env *env, const struct es_kind *kind, const char *component, const char *ns,
                     const char *name, struct es_outcome *ret, struct es_error *err)
{
    struct check c = {.env = env, .kind = kind, .component = component};
    int64_t interval_ms = 0, started_ns = es_mono_ns();
    int rc = es_store_get(env, kind, ns, name, &c.store, err);

    ret->after_ms = -1;
    if (rc == ES_E_NOT_FOUND) {
        es_tally_gone(env->tally, kind->namespaced ? ES_TALLY_SECRET_STORE : ES_TALLY_CLUSTER_SECRET_STORE,
                      ns, name, 0);
        return 0;
    }
    if (rc < 0)
        return rc;
    rc = es_store_hold(env, kind, c.store->ns, name, err);
    if (rc < 0 || !es_store_is_ours(env, c.store) || es_obj_deleting(c.store->object)) {
        count(&c, rc, started_ns);
        es_store_release(env, c.store);
        return rc;
    }
    rc = read_interval(c.store->object, env->settings.store_requeue_ms, &interval_ms, err);
    if (rc == 0)
        rc = check_conditions(c.store->object, err);
    if (rc < 0)
        rc = refuse(&c, "unable to validate store", err);
    else
        rc = validate(&c, err);
    if (rc == 0)
        ret->after_ms = interval_ms;
    count(&c, rc, started_ns);
    es_store_release(env, c.store);
    return rc;
}

int es_secret_store_reconcile(struct es_env *env, const char *ns, const char *name,
                              const struct es_cause *cause, struct es_outcome *ret, struct es_error *err)
{
    (void)cause;
    return reconcile(env, &es_kind_secret_store, "secret-store", ns, name, ret, err);
}

int es_cluster_secret_store_reconcile(struct es_env *env, const char *ns, const char *name,
                                      const struct es_cause *cause, struct es_outcome *ret,
                                      struct es_error *err)
{
    (void)cause;
    return reconcile(env, &es_kind_cluster_secret_store, "cluster-secret-store", ns, name, ret, err);
}
