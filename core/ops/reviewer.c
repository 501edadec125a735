#include "core/ops/reviewer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define ANSWERS_MAX 32
#define ANSWER_MS 10000
#define COMPLAIN_EVERY_MS 60000
#define TOKEN_MAX ((size_t)32 << 10)

static const struct es_kind token_review = {.group = "authentication.k8s.io",
                                            .version = "v1",
                                            .plural = "tokenreviews",
                                            .kind = "TokenReview",
                                            .holds = ES_HOLDS_PLAIN};
static const struct es_kind access_review = {.group = "authorization.k8s.io",
                                             .version = "v1",
                                             .plural = "subjectaccessreviews",
                                             .kind = "SubjectAccessReview"};

struct answer {
    char hash[ES_SHA256_HEX_MAX]; /* of the token; "": free */
    unsigned status;
    int64_t until_ms;
};

struct es_reviewer {
    struct es_kube *kube;
    const struct es_clock *clock;
    pthread_mutex_t lock; /* guards what follows */
    struct answer answers[ANSWERS_MAX];
    int64_t complain_after_ms;
};

int es_reviewer_new(struct es_reviewer **ret, struct es_kube *take_kube, const struct es_clock *clock,
                    struct es_error *err)
{
    struct es_reviewer *r = calloc(1, sizeof *r);

    if (!r) {
        es_kube_free(take_kube);
        return es_error_nomem(err);
    }
    r->kube = take_kube;
    r->clock = clock ? clock : &es_system_clock;
    pthread_mutex_init(&r->lock, NULL);
    *ret = r;
    return 0;
}

void es_reviewer_stop(struct es_reviewer *r)
{
    if (r)
        es_kube_stop(r->kube);
}

void es_reviewer_free(struct es_reviewer *r)
{
    if (!r)
        return;
    es_kube_free(r->kube);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- answers that still count ---- */

static int64_t now_ms(const struct es_reviewer *r)
{
    return r->clock->mono_ms(r->clock->ctx);
}

/* 0: there is none. */
static unsigned remembered(struct es_reviewer *r, const char *hash)
{
    int64_t now = now_ms(r);
    unsigned status = 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (r->answers[i].until_ms > now && es_streq(r->answers[i].hash, hash))
            status = r->answers[i].status;
    pthread_mutex_unlock(&r->lock);
    return status;
}

/* What may go first: the expired, then refusals, of which anybody can cause as many
 * as he likes, then what is oldest. */
static bool goes_before(const struct answer *a, const struct answer *b, int64_t now)
{
    bool a_over = a->until_ms <= now, b_over = b->until_ms <= now;

    if (a_over != b_over)
        return a_over;
    if ((a->status == 200) != (b->status == 200))
        return a->status != 200;
    return a->until_ms < b->until_ms;
}

static void remember(struct es_reviewer *r, const char *hash, unsigned status)
{
    int64_t now = now_ms(r);

    pthread_mutex_lock(&r->lock);
    struct answer *place = &r->answers[0];
    for (size_t i = 1; i < ANSWERS_MAX; i++)
        if (goes_before(&r->answers[i], place, now))
            place = &r->answers[i];
    *place = (struct answer){.status = status, .until_ms = now + ANSWER_MS};
    memcpy(place->hash, hash, sizeof place->hash);
    pthread_mutex_unlock(&r->lock);
}

/* ---- questions ---- */

/* Once a minute: a scraper asks again and again. */
static void complain(struct es_reviewer *r, const struct es_error *err)
{
    int64_t now = now_ms(r);

    pthread_mutex_lock(&r->lock);
    bool silent = now < r->complain_after_ms;
    if (!silent)
        r->complain_after_ms = now + COMPLAIN_EVERY_MS;
    pthread_mutex_unlock(&r->lock);
    if (!silent)
        es_log(ES_WARN, "metrics", "the API server does not say who may read the metrics; nobody may",
               ES_F_STR("error", err->text));
}

static int ask(struct es_reviewer *r, const struct es_kind *kind, json_t *take_spec, json_t **ret)
{
    char api_version[128];
    struct es_error err = ES_ERROR_INIT;
    json_t *review = json_pack("{s:s,s:s,s:o}", "apiVersion", es_kind_api_version(kind, api_version), "kind",
                               kind->kind, "spec", take_spec);
    int rc = review ? es_kube_create(r->kube, kind, NULL, review, NULL, ret, &err) : ES_E_NOMEM;

    json_decref(review);
    if (rc < 0 && rc != ES_E_CANCELLED)
        complain(r, &err);
    return rc;
}

/* Whose token is it? *ret_user: a reference of its own. */
static unsigned whose(struct es_reviewer *r, const char *token, json_t **ret_user)
{
    json_t *answer = NULL;
    unsigned status = 401;

    if (ask(r, &token_review, json_pack("{s:s}", "token", token), &answer) < 0)
        return 503;
    if (es_obj_bool(answer, "status", "authenticated")) {
        *ret_user = json_incref(es_obj_at(answer, "status", "user"));
        status = *ret_user ? 200 : 401;
    }
    json_decref(answer);
    return status;
}

static json_t *access_spec(const json_t *user)
{
    json_t *spec = json_pack("{s:{s:s,s:s},s:s,s:s}", "nonResourceAttributes", "path", "/metrics", "verb",
                             "get", "user", es_obj_str(user, "username"), "uid", es_obj_str(user, "uid"));
    json_t *groups = es_obj_at(user, "groups"), *extra = es_obj_at(user, "extra");

    if (spec && groups)
        json_object_set(spec, "groups", groups);
    if (spec && extra)
        json_object_set(spec, "extra", extra);
    return spec;
}

static unsigned may_read(struct es_reviewer *r, const json_t *user)
{
    json_t *answer = NULL;

    if (ask(r, &access_review, access_spec(user), &answer) < 0)
        return 503;
    bool allowed = es_obj_bool(answer, "status", "allowed") && !es_obj_bool(answer, "status", "denied");
    json_decref(answer);
    return allowed ? 200 : 403;
}

unsigned es_reviewer_ask(struct es_reviewer *r, const char *token)
{
    char hash[ES_SHA256_HEX_MAX];
    json_t *user = NULL;
    size_t len = strlen(token);

    if (!len || len > TOKEN_MAX || !es_utf8_valid(token, len))
        return 401;
    if (es_sha256_hex(hash, token, len) < 0)
        return 503;
    unsigned status = remembered(r, hash);
    if (status)
        return status;
    status = whose(r, token, &user);
    if (status == 200)
        status = may_read(r, user);
    json_decref(user);
    if (status != 503)
        remember(r, hash, status);
    return status;
}
