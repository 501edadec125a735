#include "core/kube/lease.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/kube/kind.h"
#include "core/kube/obj.h"

void es_lease_init(struct es_lease *l, const struct es_lease_opts *opts)
{
    *l = (struct es_lease){.opts = *opts};
}

void es_lease_fini(struct es_lease *l)
{
    json_decref(l->seen);
    l->seen = NULL;
}

static int64_t boot_ms(const struct es_lease *l)
{
    return l->opts.api.boot_ms(l->opts.api.ctx);
}

const char *es_lease_holder(const struct es_lease *l)
{
    return es_obj_str(l->seen, "spec", "holderIdentity");
}

static bool is_ours(const struct es_lease *l)
{
    return es_streq(es_lease_holder(l), l->opts.identity);
}

/* ---- what is there ---- */

/* The record is all of the spec: a label that somebody sets is no sign of life. */
void es_lease_see(struct es_lease *l, const json_t *object)
{
    l->absent = object == NULL;
    if (!object)
        return;
    if (!l->seen || !json_equal(es_obj_at(l->seen, "spec"), es_obj_at(object, "spec")))
        l->seen_ms = boot_ms(l);
    json_t *copy = json_deep_copy(object);
    if (!copy)
        return; /* what we saw before is older, and so only makes us wait */
    json_decref(l->seen);
    l->seen = copy;
}

/* What the holder asks for; a record without it gets what we would ask for. */
static int64_t duration_ms(const struct es_lease *l)
{
    int64_t seconds = es_obj_int(l->seen, "spec", "leaseDurationSeconds");
    return seconds > 0 && seconds <= INT32_MAX ? seconds * 1000 : l->opts.duration_ms;
}

int64_t es_lease_free_at(const struct es_lease *l)
{
    return *es_lease_holder(l) && !is_ours(l) ? l->seen_ms + duration_ms(l) : 0;
}

/* ---- what we write ---- */

static int set_term(json_t *lease, const char *holder, int64_t seconds, int64_t transitions)
{
    return es_obj_set(lease, json_string(holder), "spec", "holderIdentity") < 0 ||
                   es_obj_set(lease, json_integer(seconds), "spec", "leaseDurationSeconds") < 0 ||
                   es_obj_set(lease, json_integer(transitions), "spec", "leaseTransitions") < 0
               ? ES_E_NOMEM
               : 0;
}

static int set_time(const struct es_lease *l, json_t *lease, const char *field)
{
    char text[ES_TIME_TEXT_MAX];
    return es_obj_set(lease, json_string(es_time_format_micro(l->opts.api.unix_ms(l->opts.api.ctx), text)),
                      "spec", field);
}

/* A new object where there is none, else what is there with another term, so
 * that labels and fields that we do not know survive. NULL without memory. */
static json_t *draft(const struct es_lease *l)
{
    char version[128];

    if (l->seen && !l->absent)
        return json_deep_copy(l->seen);
    return json_pack("{s:s,s:s,s:{s:s,s:s},s:{}}", "apiVersion", es_kind_api_version(&es_kind_lease, version),
                     "kind", es_kind_lease.kind, "metadata", "name", l->opts.name, "namespace", l->opts.ns,
                     "spec");
}

static json_t *claim(const struct es_lease *l)
{
    bool again = is_ours(l);
    int64_t transitions = es_obj_int(l->seen, "spec", "leaseTransitions");
    json_t *lease = draft(l);

    if (!lease)
        return NULL;
    /* Only a change of the holder counts, the first one not. */
    int rc = set_term(lease, l->opts.identity, (l->opts.duration_ms + 999) / 1000,
                      transitions + (l->seen && !again));
    if (rc == 0 && (!again || l->absent))
        rc = set_time(l, lease, "acquireTime");
    if (rc == 0)
        rc = set_time(l, lease, "renewTime");
    if (rc == 0)
        return lease;
    json_decref(lease);
    return NULL;
}

static int write_claim(struct es_lease *l, json_t **ret, struct es_error *err)
{
    const struct es_lease_api *api = &l->opts.api;
    json_t *lease = claim(l);

    if (!lease)
        return es_error_nomem(err);
    int rc = l->seen && !l->absent ? api->update(api->ctx, lease, ret, err)
                                   : api->create(api->ctx, lease, ret, err);
    json_decref(lease);
    return rc;
}

/* The term begins when the request is made: the API server may have taken it at
 * once and answered late, and what others see may be as old. */
static int take(struct es_lease *l, struct es_error *err)
{
    int64_t begun_ms = boot_ms(l);
    json_t *written = NULL;
    int rc = write_claim(l, &written, err);

    if (rc < 0)
        return rc;
    es_lease_see(l, written);
    json_decref(written);
    l->safe_until_ms = begun_ms + l->opts.renew_ms;
    l->state = ES_LEASE_HELD;
    return 0;
}

/* ---- a round ---- */

static void lose(struct es_lease *l)
{
    l->state = ES_LEASE_LOST;
    l->safe_until_ms = 0;
}

static int look(struct es_lease *l, struct es_error *err)
{
    json_t *object = NULL;
    int rc = l->opts.api.get(l->opts.api.ctx, &object, err);

    if (rc < 0 && rc != ES_E_NOT_FOUND)
        return rc;
    es_lease_see(l, rc == 0 ? object : NULL);
    json_decref(object);
    return 0;
}

/* Somebody was quicker, or what we knew of the object was old. */
static bool is_outdated(int rc)
{
    return rc == ES_E_CONFLICT || rc == ES_E_EXISTS || rc == ES_E_NOT_FOUND;
}

static int look_and_take(struct es_lease *l, struct es_error *err)
{
    int rc = look(l, err);

    if (rc < 0)
        return rc;
    bool others = *es_lease_holder(l) && !is_ours(l);
    if (l->state == ES_LEASE_HELD && others && !l->absent) {
        lose(l);
        return 0;
    }
    if (es_lease_free_at(l) > boot_ms(l))
        return 0;
    rc = take(l, err);
    return is_outdated(rc) ? 0 : rc;
}

static int attempt(struct es_lease *l, struct es_error *err)
{
    /* Who holds it knows the object, and saves the question. */
    if (l->state == ES_LEASE_HELD && !l->absent) {
        int rc = take(l, err);
        if (!is_outdated(rc))
            return rc;
    }
    return look_and_take(l, err);
}

static bool is_overdue(const struct es_lease *l)
{
    return l->state == ES_LEASE_HELD && boot_ms(l) >= l->safe_until_ms;
}

int es_lease_round(struct es_lease *l, struct es_error *err)
{
    if (l->state == ES_LEASE_LOST)
        return 0;
    /* Having slept through the term is having lost it, even if nobody else has
     * come: what was to be written meanwhile has been refused. */
    if (is_overdue(l)) {
        lose(l);
        return 0;
    }
    int rc = attempt(l, err);
    if (is_overdue(l))
        lose(l);
    return rc;
}

/* ---- the end ---- */

static json_t *release(const struct es_lease *l)
{
    json_t *lease = json_deep_copy(l->seen);

    if (lease && set_term(lease, "", 1, es_obj_int(l->seen, "spec", "leaseTransitions")) == 0 &&
        set_time(l, lease, "acquireTime") == 0 && set_time(l, lease, "renewTime") == 0)
        return lease;
    json_decref(lease);
    return NULL;
}

int es_lease_release(struct es_lease *l, struct es_error *err)
{
    if (l->state != ES_LEASE_HELD)
        return 0;
    l->state = ES_LEASE_WAITING;
    l->safe_until_ms = 0;
    json_t *lease = release(l), *written = NULL;
    if (!lease)
        return es_error_nomem(err);
    int rc = l->opts.api.update(l->opts.api.ctx, lease, &written, err);
    json_decref(lease);
    if (rc == 0)
        es_lease_see(l, written);
    json_decref(written);
    /* Whoever changed it meanwhile has it, or has taken it away. */
    return is_outdated(rc) ? 0 : rc;
}
