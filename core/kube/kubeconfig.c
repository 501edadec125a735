/* Where the configuration is looked for, and the pod's own. */
#include "core/kube/kubeconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#define POD_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define PATHS_MAX 64

static void source_fini(struct es_kube_source *s)
{
    es_blob_fini(&s->data);
    es_mem_free(s->path);
}

void es_kube_profile_fini(struct es_kube_profile *p)
{
    es_mem_free(p->origin);
    es_mem_free(p->server);
    es_mem_free(p->ns);
    es_mem_free(p->proxy);
    es_mem_free(p->server_name);
    source_fini(&p->ca);
    source_fini(&p->cert);
    source_fini(&p->key);
    source_fini(&p->token);
    es_blob_fini(&p->basic);
    es_mem_free(p->as);
    for (char **g = p->groups; g && *g; g++)
        es_mem_free(*g);
    es_mem_free(p->groups);
    for (size_t i = 0; i < p->impersonate_count; i++) {
        es_mem_free(p->impersonate[i].name);
        es_mem_free(p->impersonate[i].value);
    }
    es_mem_free(p->impersonate);
    es_exec_free(p->exec);
    *p = (struct es_kube_profile){0};
}

static int read_all(int fd, struct es_buf *buf)
{
    char chunk[4096];
    ssize_t n;

    do {
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            es_buf_add(buf, chunk, (size_t)n);
    } while ((n > 0 && !es_buf_failed(buf)) || (n < 0 && errno == EINTR));
    explicit_bzero(chunk, sizeof chunk);
    return n < 0 ? errno : 0;
}

int es_kube_read_file(struct es_blob *ret, const char *path, struct es_error *err)
{
    struct es_buf buf;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        int cause = errno;
        return es_error_set(err, ES_E_CONFIG, "%s: %s", path, strerrordesc_np(cause));
    }
    es_buf_init(&buf, ES_KUBE_FILE_MAX);
    int cause = read_all(fd, &buf);
    close(fd);
    int rc = 0;
    if (cause)
        rc = es_error_set(err, ES_E_CONFIG, "%s: %s", path, strerrordesc_np(cause));
    else if (es_buf_failed(&buf))
        rc = es_error_set(err, ES_E_CONFIG, "%s: above %u bytes", path, ES_KUBE_FILE_MAX);
    else if (es_blob_set(ret, es_buf_str(&buf), buf.len) < 0)
        rc = es_error_nomem(err);
    es_buf_fini(&buf);
    return rc;
}

static char *pod_namespace(const char *dir)
{
    struct es_blob text = {0};
    char *path = es_strf("%s/namespace", dir);
    char *ns = NULL;

    if (path && es_kube_read_file(&text, path, NULL) == 0)
        ns = es_strf("%.*s", (int)strcspn((const char *)text.ptr, " \r\n\t"), (const char *)text.ptr);
    es_blob_fini(&text);
    es_mem_free(path);
    if (ns && *ns)
        return ns;
    es_mem_free(ns);
    return es_mem_strdup("default");
}

/* What Kubernetes puts into every container of a pod with a service account. */
static int load_pod(struct es_kube_profile *p, const char *dir, struct es_error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    bool v6 = strchr(host, ':') != NULL;

    p->server = es_strf("https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
    p->origin = es_strf("the service account in %s", dir);
    p->ca.path = es_strf("%s/ca.crt", dir);
    p->token.path = es_strf("%s/token", dir);
    p->ns = pod_namespace(dir);
    /* Without it, the API server's certificate is one the system trusts. */
    p->ca_optional = true;
    if (!p->server || !p->origin || !p->ca.path || !p->token.path || !p->ns)
        return es_error_nomem(err);
    return 0;
}

static bool in_pod(const char *dir)
{
    char *token = es_strf("%s/token", dir);
    bool yes = token && !es_str_empty(getenv("KUBERNETES_SERVICE_HOST")) &&
               !es_str_empty(getenv("KUBERNETES_SERVICE_PORT")) && access(token, F_OK) == 0;
    es_mem_free(token);
    return yes;
}

/* The files of a list that exist; as with other tools, those that do not are
 * passed over. */
static int load_list(struct es_kube_profile *p, const char *list, const char *context, struct es_error *err)
{
    char *paths[PATHS_MAX];
    size_t count = 0;
    int rc = 0;

    while (rc == 0 && *list) {
        size_t len = strcspn(list, ":");
        char *path = es_strf("%.*s", (int)len, list);
        list += len + (list[len] != '\0');
        if (!path)
            rc = es_error_nomem(err);
        else if (len == 0 || access(path, F_OK) != 0)
            es_mem_free(path);
        else if (count == PATHS_MAX) {
            es_mem_free(path);
            rc = es_error_set(err, ES_E_CONFIG, "KUBECONFIG: more than %d files", PATHS_MAX);
        } else
            paths[count++] = path;
    }
    if (rc == 0 && count == 0)
        rc = es_error_set(err, ES_E_CONFIG, "KUBECONFIG: none of its files exists");
    if (rc == 0)
        rc = es_kube_profile_parse(p, paths, count, context, err);
    while (count)
        es_mem_free(paths[--count]);
    return rc;
}

static int load_home(struct es_kube_profile *p, const char *context, struct es_error *err)
{
    const char *home = getenv("HOME");
    char *path = es_strf("%s/.kube/config", home ? home : "");
    int rc;

    if (!path)
        return es_error_nomem(err);
    if (es_str_empty(home) || access(path, F_OK) != 0)
        rc = es_error_set(
            err, ES_E_CONFIG,
            "no Kubernetes configuration: no file was named, KUBECONFIG is not set, this is no pod with "
            "a service account, and there is no ~/.kube/config");
    else
        rc = es_kube_profile_parse(p, &path, 1, context, err);
    es_mem_free(path);
    return rc;
}

int es_kube_profile_load(struct es_kube_profile *ret, const struct es_kube_config_opts *opts,
                         struct es_error *err)
{
    static const struct es_kube_config_opts none;
    const struct es_kube_config_opts *o = opts ? opts : &none;
    const char *dir = o->service_account_dir ? o->service_account_dir : POD_DIR;
    const char *list = getenv("KUBECONFIG");
    char *named = (char *)o->kubeconfig;
    struct es_kube_profile p = {0};
    int rc;

    if (!es_str_empty(named))
        rc = es_kube_profile_parse(&p, &named, 1, o->context, err);
    else if (!es_str_empty(list))
        rc = load_list(&p, list, o->context, err);
    else if (in_pod(dir))
        rc = load_pod(&p, dir, err);
    else
        rc = load_home(&p, o->context, err);
    if (rc == 0) {
        *ret = p;
        p = (struct es_kube_profile){0};
    }
    es_kube_profile_fini(&p);
    return rc;
}
