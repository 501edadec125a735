/* Logins: made of what was configured, shared by all requests, renewed here. */
#include "core/kube/config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/kubeconfig.h"
#include "core/kube/login.h"

#define FILES_AGAIN_MS 60000
#define MARGIN_MS 60000     /* before an expiration */
#define LEAST_LIFE_MS 10000 /* of what a plugin gave, whatever its clock says */
#define FAILURE_HOLDS_MS 2000
#define REFUSAL_EVERY_MS 5000
#define NEVER INT64_MAX

/* One credential. Never changes once it is made; shared by those who use it. */
struct login {
    size_t refs; /* atomic */
    uint64_t generation;
    char *authorization;
    struct es_blob ca, cert, key;
    struct es_http_header headers[ES_KUBE_LOGIN_HEADERS_MAX];
    size_t header_count;
    int64_t ends_mono_ms; /* not to be used from then on */
    int64_t due_mono_ms;  /* to be renewed from then on */
};

struct es_kube_config {
    struct es_kube_profile profile;
    struct es_blob ca; /* as it was at the start, for plugins */
    bool stopped;      /* atomic */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct login *current;
    bool renewing; /* some thread is at it, without the lock */
    bool refused;  /* the API server does not want `current` */
    int64_t refused_at_ms;
    uint64_t generation;
    int64_t failed_until_ms; /* until then a failure is passed on, not repeated */
    struct es_error failure;
};

static void login_release(struct login *l)
{
    if (!l || __atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    es_mem_free(l->authorization);
    es_blob_fini(&l->ca);
    es_blob_fini(&l->cert);
    es_blob_fini(&l->key);
    es_mem_free(l);
}

static int init_waiting(struct es_kube_config *c)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return ES_E_NOMEM;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (rc != 0)
        return ES_E_NOMEM;
    if (pthread_mutex_init(&c->lock, NULL) == 0)
        return 0;
    pthread_cond_destroy(&c->changed);
    return ES_E_NOMEM;
}

static int read_pem(struct es_blob *ret, const struct es_kube_profile *p, const struct es_kube_source *s,
                    const char *what, struct es_error *err)
{
    int rc = 0;

    if (s->path)
        rc = es_kube_read_file(ret, s->path, err);
    else if (s->data.len && es_blob_set(ret, s->data.ptr, s->data.len) < 0)
        rc = es_error_nomem(err);
    if (rc == 0 && ret->len && !strstr((const char *)ret->ptr, "-----BEGIN "))
        rc = es_error_set(err, ES_E_CONFIG, "it holds no PEM block");
    if (rc == 0 && s->path && !ret->len)
        rc = es_error_set(err, ES_E_CONFIG, "%s: empty", s->path);
    return rc < 0 ? es_error_wrap(err, "%s: %s: ", p->origin, what) : 0;
}

static int read_ca(struct es_blob *ret, const struct es_kube_profile *p, struct es_error *err)
{
    if (p->ca_optional && es_kube_read_file(ret, p->ca.path, NULL) < 0)
        return 0;
    es_blob_fini(ret);
    return read_pem(ret, p, &p->ca, "certificate-authority", err);
}

int es_kube_config_load(struct es_kube_config **ret, const struct es_kube_config_opts *opts,
                        struct es_error *err)
{
    struct es_kube_config *c = es_mem_calloc(1, sizeof *c);

    if (!c)
        return es_error_nomem(err);
    if (init_waiting(c) < 0) {
        es_mem_free(c);
        return es_error_nomem(err);
    }
    int rc = es_kube_profile_load(&c->profile, opts, err);
    if (rc == 0)
        rc = read_ca(&c->ca, &c->profile, err);
    if (rc < 0) {
        es_kube_config_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void es_kube_config_free(struct es_kube_config *c)
{
    if (!c)
        return;
    login_release(c->current);
    es_blob_fini(&c->ca);
    es_kube_profile_fini(&c->profile);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    es_mem_free(c);
}

const char *es_kube_config_server(const struct es_kube_config *c)
{
    return c->profile.server;
}

const char *es_kube_config_namespace(const struct es_kube_config *c)
{
    return c->profile.ns;
}

const char *es_kube_config_proxy(const struct es_kube_config *c)
{
    return c->profile.proxy;
}

const char *es_kube_config_ca(const struct es_kube_config *c, size_t *ret_len)
{
    *ret_len = c->ca.len;
    return (const char *)c->ca.ptr;
}

static int bearer(struct login *l, const char *token, size_t len, struct es_error *err)
{
    while (len && strchr(" \t\r\n", token[len - 1]))
        len--;
    while (len && strchr(" \t\r\n", *token))
        token++, len--;
    if (!len)
        return es_error_set(err, ES_E_CONFIG, "the token is empty");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)token[i] <= ' ' || token[i] == 0x7f)
            return es_error_set(err, ES_E_CONFIG, "the token holds a character that cannot be sent");
    l->authorization = es_strf("Bearer %.*s", (int)len, token);
    return l->authorization ? 0 : es_error_nomem(err);
}

/* The file wins over the token beside it while it can be read. */
static int use_token(struct login *l, const struct es_kube_profile *p, struct es_error *err)
{
    struct es_blob text = {0};
    const struct es_blob *token = &p->token.data;
    int rc = 0;

    if (p->token.path) {
        rc = es_kube_read_file(&text, p->token.path, err);
        if (rc == 0)
            token = &text;
        else if (p->token.data.len)
            rc = 0;
    }
    if (rc == 0)
        rc = bearer(l, (const char *)token->ptr, token->len, err);
    if (rc == ES_E_CONFIG)
        es_error_wrap(err, "%s: ", p->origin);
    es_blob_fini(&text);
    return rc;
}

static int use_basic(struct login *l, const struct es_kube_profile *p, struct es_error *err)
{
    struct es_buf text;

    es_buf_init(&text, 2 * ES_KUBE_FILE_MAX);
    es_buf_adds(&text, "Basic ");
    es_base64_encode(&text, p->basic.ptr, p->basic.len);
    l->authorization = es_buf_take(&text);
    return l->authorization ? 0 : es_error_nomem(err);
}

/* When to ask the plugin again: before what it gave expires. */
static void plan_renewal(struct login *l, int64_t expires_unix_ms)
{
    int64_t life_ms = expires_unix_ms - es_unix_ms();
    int64_t now_ms = es_mono_ms();

    if (life_ms < LEAST_LIFE_MS)
        life_ms = LEAST_LIFE_MS;
    int64_t margin_ms = life_ms / 4 < MARGIN_MS ? life_ms / 4 : MARGIN_MS;
    l->ends_mono_ms = now_ms + life_ms;
    l->due_mono_ms = now_ms + life_ms - margin_ms;
}

static int use_plugin(struct login *l, const struct es_kube_config *c, const bool *cancelled,
                      struct es_error *err)
{
    const struct es_exec_limits limits = {ES_EXEC_TIMEOUT_MS, cancelled, &c->stopped};
    struct es_exec_status status = {0};
    int rc = es_exec_run(c->profile.exec, &limits, &status, err);

    if (rc == 0 && status.token.len) {
        rc = bearer(l, (const char *)status.token.ptr, status.token.len, err);
        if (rc == ES_E_CONFIG)
            es_error_wrap(err, "%s: credential plugin \"%s\": ", c->profile.origin, c->profile.exec->command);
    }
    if (rc == 0 && status.cert.len) {
        es_blob_fini(&l->cert);
        es_blob_fini(&l->key);
        l->cert = status.cert;
        l->key = status.key;
        status.cert = status.key = (struct es_blob){0};
    }
    if (rc == 0 && status.expires_unix_ms)
        plan_renewal(l, status.expires_unix_ms);
    es_exec_status_fini(&status);
    return rc;
}

static void list_headers(struct login *l, const struct es_kube_profile *p)
{
    if (l->authorization)
        l->headers[l->header_count++] = (struct es_http_header){"Authorization", l->authorization};
    for (size_t i = 0; i < p->impersonate_count && l->header_count < ES_KUBE_LOGIN_HEADERS_MAX; i++)
        l->headers[l->header_count++] =
            (struct es_http_header){p->impersonate[i].name, p->impersonate[i].value};
}

static bool from_files(const struct es_kube_profile *p)
{
    return p->ca.path || p->cert.path || p->key.path || p->token.path;
}

static int make_login(struct login **ret, const struct es_kube_config *c, const bool *cancelled,
                      struct es_error *err)
{
    const struct es_kube_profile *p = &c->profile;
    struct login *l = es_mem_calloc(1, sizeof *l);

    if (!l)
        return es_error_nomem(err);
    l->refs = 1;
    l->ends_mono_ms = NEVER;
    l->due_mono_ms = NEVER;
    int rc = read_ca(&l->ca, p, err);
    if (rc == 0)
        rc = read_pem(&l->cert, p, &p->cert, "client-certificate", err);
    if (rc == 0)
        rc = read_pem(&l->key, p, &p->key, "client-key", err);
    if (rc == 0 && (p->token.path || p->token.data.len))
        rc = use_token(l, p, err);
    else if (rc == 0 && p->basic.len)
        rc = use_basic(l, p, err);
    else if (rc == 0 && p->exec)
        rc = use_plugin(l, c, cancelled, err);
    if (rc < 0) {
        login_release(l);
        return rc;
    }
    list_headers(l, p);
    /* With a plugin its own plan counts: a program is not run every minute. */
    if (!p->exec && from_files(p))
        l->due_mono_ms = es_mono_ms() + FILES_AGAIN_MS;
    *ret = l;
    return 0;
}

static bool same_login(const struct login *a, const struct login *b)
{
    return es_streq(a->authorization, b->authorization) && es_blob_equal(&a->ca, &b->ca) &&
           es_blob_equal(&a->cert, &b->cert) && es_blob_equal(&a->key, &b->key);
}

/* A login that says the same keeps its number: whoever was refused with it
 * need not try again. */
static void adopt_locked(struct es_kube_config *c, struct login *take)
{
    bool same = c->current && same_login(c->current, take);

    take->generation = same ? c->generation : ++c->generation;
    login_release(c->current);
    c->current = take;
    c->refused = false;
    c->failed_until_ms = 0;
}

static bool usable_locked(const struct es_kube_config *c, int64_t now_ms)
{
    return c->current && !c->refused && now_ms < c->current->ends_mono_ms;
}

static bool due_locked(const struct es_kube_config *c, int64_t now_ms)
{
    return !usable_locked(c, now_ms) || now_ms >= c->current->due_mono_ms;
}

/* Gives the lock back while files are read or a plugin runs. */
static int renew_locked(struct es_kube_config *c, const bool *cancelled, struct es_error *err)
{
    struct es_error why = ES_ERROR_INIT;
    struct login *fresh = NULL;

    c->renewing = true;
    pthread_mutex_unlock(&c->lock);
    int rc = make_login(&fresh, c, cancelled, &why);
    pthread_mutex_lock(&c->lock);
    c->renewing = false;
    pthread_cond_broadcast(&c->changed);

    int64_t now_ms = es_mono_ms();
    if (rc == 0) {
        adopt_locked(c, fresh);
    } else if (rc != ES_E_CANCELLED) {
        /* A crowd of workers must not start a plugin that fails once each. */
        c->failure = why;
        c->failed_until_ms = now_ms + FAILURE_HOLDS_MS;
    }
    if (rc < 0 && usable_locked(c, now_ms))
        return 0;
    if (rc < 0 && err)
        *err = why;
    return rc;
}

static void wait_change_locked(struct es_kube_config *c)
{
    int64_t until = es_mono_ns() + 50 * 1000000;
    struct timespec ts = {until / 1000000000, (long)(until % 1000000000)};

    pthread_cond_timedwait(&c->changed, &c->lock, &ts);
}

static bool is_set(const bool *flag)
{
    return flag && __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* Sees to it that there is a login that may be used. */
static int ensure_locked(struct es_kube_config *c, const bool *cancelled, struct es_error *err)
{
    for (;;) {
        int64_t now_ms = es_mono_ms();
        if (is_set(&c->stopped) || is_set(cancelled))
            return es_error_set(err, ES_E_CANCELLED, "stopped");
        if (!due_locked(c, now_ms))
            return 0;
        bool usable = usable_locked(c, now_ms);
        if (usable && (c->renewing || now_ms < c->failed_until_ms))
            return 0;
        if (!c->renewing && now_ms < c->failed_until_ms) {
            if (err)
                *err = c->failure;
            return c->failure.code;
        }
        if (!c->renewing)
            return renew_locked(c, cancelled, err);
        wait_change_locked(c);
    }
}

static void hand_out(const struct es_kube_config *c, struct login *l, struct es_kube_credential *ret)
{
    const struct es_kube_profile *p = &c->profile;

    *ret = (struct es_kube_credential){
        .authorization = l->authorization,
        .impersonate_user = p->as,
        .impersonate_groups = p->groups,
        .headers = l->headers,
        .header_count = l->header_count,
        .tls =
            {
                .ca_pem = (const char *)l->ca.ptr,
                .ca_len = l->ca.len,
                .cert_pem = (const char *)l->cert.ptr,
                .cert_len = l->cert.len,
                .key_pem = (const char *)l->key.ptr,
                .key_len = l->key.len,
                .server_name = p->server_name,
                .insecure = p->insecure,
            },
        .hold = l,
        .generation = l->generation,
    };
}

int es_kube_login(struct es_kube_config *c, const bool *cancelled, struct es_kube_credential *ret,
                  struct es_error *err)
{
    pthread_mutex_lock(&c->lock);
    int rc = ensure_locked(c, cancelled, err);
    struct login *l = c->current;
    if (rc == 0)
        __atomic_add_fetch(&l->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&c->lock);
    if (rc == 0)
        hand_out(c, l, ret);
    return rc;
}

int es_kube_config_credential(struct es_kube_config *c, struct es_kube_credential *ret, struct es_error *err)
{
    return es_kube_login(c, NULL, ret, err);
}

void es_kube_credential_fini(struct es_kube_credential *cred)
{
    login_release(cred->hold);
    *cred = (struct es_kube_credential){0};
}

void es_kube_config_refused(struct es_kube_config *c, uint64_t generation)
{
    const struct es_kube_profile *p = &c->profile;

    pthread_mutex_lock(&c->lock);
    int64_t now_ms = es_mono_ms();
    bool renewable = p->exec || from_files(p);
    bool recent = c->refused_at_ms && now_ms - c->refused_at_ms < REFUSAL_EVERY_MS;
    if (renewable && !recent && c->current && c->current->generation == generation && !c->refused) {
        c->refused = true;
        c->refused_at_ms = now_ms;
        c->failed_until_ms = 0;
    }
    pthread_mutex_unlock(&c->lock);
}

void es_kube_login_stop(struct es_kube_config *c)
{
    __atomic_store_n(&c->stopped, true, __ATOMIC_RELEASE);
    pthread_mutex_lock(&c->lock);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}
