/* Reading kubeconfig files: cluster, user and context of one context's name.
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/kubeconfig_entry.h"
#include "core/kube/login.h"
#include "core/kube/obj.h"

struct files {
    struct es_conf_file *items;
    size_t count;
};

/* clusters, users and contexts are lists of {name: ..., KIND: {...}}. */
static int find(const struct files *files, const char *list, const char *kind, const char *name,
                struct es_conf_entry *ret, struct es_error *err)
{
    for (size_t f = 0; f < files->count; f++) {
        const struct es_yaml_doc *doc = es_conf_doc_of(&files->items[f]);
        struct es_conf_entry top = {&files->items[f], doc ? doc->root : NULL};
        const json_t *entries, *one;
        size_t i;
        int rc = es_conf_get_array(&top, list, &entries, err);
        if (rc < 0)
            return rc;
        json_array_foreach (entries, i, one) {
            if (!es_streq(es_obj_str(one, "name"), name))
                continue;
            struct es_conf_entry item = {&files->items[f], one};
            *ret = item;
            return es_conf_get_object(&item, kind, &ret->node, err);
        }
    }
    return ES_E_NOT_FOUND;
}

static int check_server(const struct es_conf_entry *at, char *server, struct es_error *err)
{
    const json_t *node = es_obj_at(at->node, "server");

    if (!server)
        return es_conf_complain(at, at->node, err, "the cluster has no server");
    if (!es_str_starts(server, "https://") && !es_str_starts(server, "http://"))
        return es_conf_complain(at, node, err, "server must begin with https:// or http://");
    if (strpbrk(server, " \t\r\n?#"))
        return es_conf_complain(at, node, err, "server must be a URL without spaces, query and fragment");
    for (size_t len = strlen(server); len && server[len - 1] == '/'; len--)
        server[len - 1] = '\0';
    return 0;
}

static int read_cluster(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    int rc = es_conf_copy_text(at, "server", &p->server, err);

    if (rc == 0)
        rc = check_server(at, p->server, err);
    if (rc == 0)
        rc = es_conf_copy_text(at, "tls-server-name", &p->server_name, err);
    if (rc == 0)
        rc = es_conf_copy_text(at, "proxy-url", &p->proxy, err);
    if (rc == 0)
        rc = es_conf_get_bool(at, "insecure-skip-tls-verify", &p->insecure, err);
    if (rc == 0)
        rc = es_conf_get_source(at, "certificate-authority", &p->ca, err);
    if (rc == 0 && p->insecure && (p->ca.path || p->ca.data.len))
        rc = es_conf_complain(at, es_obj_at(at->node, "insecure-skip-tls-verify"), err,
                              "insecure-skip-tls-verify and a certificate-authority exclude each other");
    return rc;
}

static int read_token(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    const char *token, *path;
    int rc = es_conf_get_text(at, "token", &token, err);

    if (rc == 0)
        rc = es_conf_get_text(at, "tokenFile", &path, err);
    if (rc < 0)
        return rc;
    if (token && es_blob_set(&p->token.data, token, strlen(token)) < 0)
        return es_error_nomem(err);
    if (path) {
        p->token.path = es_conf_resolve(at->file, path);
        if (!p->token.path)
            return es_error_nomem(err);
    }
    return 0;
}

static int read_basic(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    const char *user, *password;
    struct es_buf text;
    int rc = es_conf_get_text(at, "username", &user, err);

    if (rc == 0)
        rc = es_conf_get_text(at, "password", &password, err);
    if (rc < 0 || !user)
        return rc;
    if (p->token.path || p->token.data.len)
        return es_conf_complain(at, es_obj_at(at->node, "username"), err,
                                "the user has a token and a username; only one can be used");
    es_buf_init(&text, ES_KUBE_FILE_MAX);
    es_buf_adds(&text, user);
    es_buf_addc(&text, ':');
    es_buf_adds(&text, password ? password : "");
    if (es_buf_failed(&text) || es_blob_set(&p->basic, es_buf_str(&text), text.len) < 0)
        rc = es_error_nomem(err);
    es_buf_fini(&text);
    return rc;
}

static int read_certificate(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    int rc = es_conf_get_source(at, "client-certificate", &p->cert, err);

    if (rc == 0)
        rc = es_conf_get_source(at, "client-key", &p->key, err);
    bool cert = p->cert.path || p->cert.data.len, key = p->key.path || p->key.data.len;
    if (rc == 0 && cert != key)
        return es_conf_complain(at, at->node, err, "the user has a client-%s without a client-%s",
                                cert ? "certificate" : "key", cert ? "key" : "certificate");
    return rc;
}

/* Takes both texts, also on failure. */
static int add_header(struct es_kube_profile *p, const struct es_conf_entry *at, char *take_name,
                      char *take_value, struct es_error *err)
{
    int rc = 0;

    if (!take_name || !take_value)
        rc = es_error_nomem(err);
    else if (p->impersonate_count == ES_KUBE_LOGIN_HEADERS_MAX - 1)
        rc = es_conf_complain(at, at->node, err, "more than %d as-groups and as-user-extra values",
                              ES_KUBE_LOGIN_HEADERS_MAX - 1);
    else if (strpbrk(take_value, "\r\n"))
        rc = es_conf_complain(at, at->node, err, "a line end in as, as-uid, as-groups or as-user-extra");
    if (rc == 0) {
        p->impersonate[p->impersonate_count++] = (struct es_kube_pair){take_name, take_value};
        return 0;
    }
    es_mem_free(take_name);
    es_mem_free(take_value);
    return rc;
}

static int add_copy(struct es_kube_profile *p, const struct es_conf_entry *at, const char *name,
                    const char *value, struct es_error *err)
{
    return add_header(p, at, es_mem_strdup(name), es_mem_strdup(value), err);
}

static int read_groups(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    const json_t *groups, *one;
    size_t i;
    int rc = es_conf_get_array(at, "as-groups", &groups, err);

    if (rc < 0 || !groups)
        return rc;
    p->groups = es_mem_calloc(json_array_size(groups) + 1, sizeof *p->groups);
    if (!p->groups)
        return es_error_nomem(err);
    json_array_foreach (groups, i, one) {
        if (!json_is_string(one))
            return es_conf_complain(at, one, err, "as-groups must be a list of strings");
        p->groups[i] = es_mem_strdup(json_string_value(one));
        rc = p->groups[i] ? add_copy(p, at, "Impersonate-Group", p->groups[i], err) : es_error_nomem(err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Header names carry the key, escaped where a header name allows no more. */
static char *extra_name(const char *key)
{
    struct es_buf b;

    es_buf_init(&b, 1024);
    es_buf_adds(&b, "Impersonate-Extra-");
    for (; *key; key++) {
        unsigned char c = (unsigned char)*key;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("!#$&'*+-.^_`|~", c));
        if (plain)
            es_buf_addc(&b, (char)c);
        else
            es_buf_addf(&b, "%%%02X", c);
    }
    return es_buf_take(&b);
}

static int read_extra(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    const json_t *extra;
    json_t *values, *one;
    const char *key;
    size_t i;
    int rc = es_conf_get_object(at, "as-user-extra", &extra, err);

    if (rc < 0)
        return rc;
    json_object_foreach ((json_t *)extra, key, values) {
        if (!json_is_array(values))
            return es_conf_complain(at, values, err, "as-user-extra must map names to lists of strings");
        json_array_foreach (values, i, one) {
            if (!json_is_string(one))
                return es_conf_complain(at, one, err, "as-user-extra must map names to lists of strings");
            rc = add_header(p, at, extra_name(key), es_mem_strdup(json_string_value(one)), err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int read_impersonation(struct es_kube_profile *p, const struct es_conf_entry *at, struct es_error *err)
{
    const char *uid = NULL;

    p->impersonate = es_mem_calloc(ES_KUBE_LOGIN_HEADERS_MAX, sizeof *p->impersonate);
    if (!p->impersonate)
        return es_error_nomem(err);
    int rc = es_conf_copy_text(at, "as", &p->as, err);
    if (rc == 0 && p->as)
        rc = add_copy(p, at, "Impersonate-User", p->as, err);
    if (rc == 0)
        rc = es_conf_get_text(at, "as-uid", &uid, err);
    if (rc == 0 && uid)
        rc = add_copy(p, at, "Impersonate-Uid", uid, err);
    if (rc == 0)
        rc = read_groups(p, at, err);
    if (rc == 0)
        rc = read_extra(p, at, err);
    if (rc == 0 && p->impersonate_count && !p->as)
        rc = es_conf_complain(at, at->node, err,
                              "as-uid, as-groups and as-user-extra need as, the user to act as");
    return rc;
}

static int read_user(struct es_kube_profile *p, const struct es_conf_entry *at,
                     const struct es_conf_entry *cluster, struct es_error *err)
{
    const json_t *provider = es_obj_at(at->node, "auth-provider");

    if (provider)
        return es_conf_complain(
            at, provider, err,
            "auth-provider \"%.64s\" was removed from Kubernetes clients; use an exec plugin of that "
            "vendor instead",
            es_obj_str(provider, "name"));
    int rc = read_token(p, at, err);
    if (rc == 0)
        rc = read_basic(p, at, err);
    if (rc == 0)
        rc = read_certificate(p, at, err);
    if (rc == 0)
        rc = read_impersonation(p, at, err);
    /* As client-go: a token or password that is there needs no plugin. */
    if (rc == 0 && !p->token.path && !p->token.data.len && !p->basic.len)
        rc = es_conf_read_exec(p, at, cluster, err);
    return rc;
}

static const char *current_context(const struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct es_yaml_doc *doc = es_conf_doc_of(&files->items[i]);
        const char *name = es_obj_str(doc ? doc->root : NULL, "current-context");
        if (*name)
            return name;
    }
    return NULL;
}

static int find_context(const struct files *files, const char *wanted, struct es_conf_entry *ret,
                        struct es_error *err)
{
    const char *first = files->items[0].path;
    const char *name = es_str_empty(wanted) ? current_context(files) : wanted;

    if (!name)
        return es_error_set(err, ES_E_CONFIG, "%s: there is no current-context; name a context", first);
    int rc = find(files, "contexts", "context", name, ret, err);
    if (rc == ES_E_NOT_FOUND)
        return es_error_set(err, ES_E_CONFIG, "%s: there is no context \"%.200s\"", first, name);
    return rc;
}

/* The cluster or user that the context names. */
static int follow(const struct files *files, const struct es_conf_entry *context, const char *kind,
                  struct es_conf_entry *ret, const char **ret_name, struct es_error *err)
{
    char list[16];
    int rc = es_conf_get_text(context, kind, ret_name, err);

    *ret = (struct es_conf_entry){context->file, NULL};
    if (rc < 0 || !*ret_name)
        return rc;
    snprintf(list, sizeof list, "%ss", kind);
    rc = find(files, list, kind, *ret_name, ret, err);
    if (rc == ES_E_NOT_FOUND)
        return es_conf_complain(context, es_obj_at(context->node, kind), err, "there is no %s \"%.200s\"",
                                kind, *ret_name);
    return rc;
}

static int read_profile(struct es_kube_profile *p, const struct files *files, const char *context_name,
                        struct es_error *err)
{
    struct es_conf_entry context, cluster, user;
    const char *cluster_name, *user_name;
    int rc = find_context(files, context_name, &context, err);

    if (rc == 0)
        rc = es_conf_copy_text(&context, "namespace", &p->ns, err);
    if (rc == 0)
        rc = follow(files, &context, "cluster", &cluster, &cluster_name, err);
    if (rc == 0 && !cluster_name)
        rc = es_conf_complain(&context, context.node, err, "the context names no cluster");
    if (rc == 0)
        rc = follow(files, &context, "user", &user, &user_name, err);
    if (rc == 0)
        rc = read_cluster(p, &cluster, err);
    if (rc < 0)
        return rc;
    p->origin = es_strf("%s: user \"%.200s\"", user.file->path, user_name ? user_name : "");
    if (!p->ns)
        p->ns = es_mem_strdup("default");
    if (!p->origin || !p->ns)
        return es_error_nomem(err);
    return read_user(p, &user, &cluster, err);
}

static int open_file(struct es_conf_file *f, const char *path, struct es_error *err)
{
    f->path = path;
    int rc = es_yaml_load(&f->yaml, path, err);
    if (rc < 0)
        return rc;
    const struct es_yaml_doc *doc = es_conf_doc_of(f);
    if (doc && !json_is_object(doc->root))
        return es_error_set(err, ES_E_CONFIG, "%s:%d: not a kubeconfig file", path, doc->line);
    return 0;
}

int es_kube_profile_parse(struct es_kube_profile *ret, char *const *paths, size_t count, const char *context,
                          struct es_error *err)
{
    struct files files = {.items = es_mem_calloc(count, sizeof *files.items)};
    int rc = files.items ? 0 : es_error_nomem(err);

    while (rc == 0 && files.count < count) {
        rc = open_file(&files.items[files.count], paths[files.count], err);
        files.count++;
    }
    if (rc == 0)
        rc = read_profile(ret, &files, context, err);
    for (size_t i = 0; i < files.count; i++)
        es_yaml_fini(&files.items[i].yaml);
    es_mem_free(files.items);
    return rc;
}
