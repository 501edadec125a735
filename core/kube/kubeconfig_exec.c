/* The exec part of a user: the plugin's command line and what it is told. */
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/kubeconfig_entry.h"
#include "core/kube/obj.h"

static int read_args(struct es_exec *e, const struct es_conf_entry *at, struct es_error *err)
{
    const json_t *args, *one;
    size_t i;
    int rc = es_conf_get_array(at, "args", &args, err);

    if (rc < 0)
        return rc;
    e->args = es_mem_calloc(json_array_size(args) + 1, sizeof *e->args);
    if (!e->args)
        return es_error_nomem(err);
    json_array_foreach (args, i, one) {
        if (!json_is_string(one))
            return es_conf_complain(at, one, err, "args must be a list of strings; put numbers in quotes");
        e->args[i] = es_mem_strdup(json_string_value(one));
        if (!e->args[i])
            return es_error_nomem(err);
    }
    return 0;
}

static int read_env(struct es_exec *e, const struct es_conf_entry *at, struct es_error *err)
{
    const json_t *env, *one;
    size_t i;
    int rc = es_conf_get_array(at, "env", &env, err);

    if (rc < 0)
        return rc;
    e->env = es_mem_calloc(json_array_size(env) + 1, sizeof *e->env);
    if (!e->env)
        return es_error_nomem(err);
    json_array_foreach (env, i, one) {
        struct es_conf_entry pair = {at->file, one};
        const char *name, *value;
        rc = es_conf_get_text(&pair, "name", &name, err);
        if (rc == 0)
            rc = es_conf_get_text(&pair, "value", &value, err);
        if (rc == 0 && (!name || strchr(name, '=')))
            rc = es_conf_complain(at, one, err, "env must be a list of name and value");
        if (rc < 0)
            return rc;
        e->env[i] = es_strf("%s=%s", name, value ? value : "");
        if (!e->env[i])
            return es_error_nomem(err);
    }
    return 0;
}

#define API "client.authentication.k8s.io/"

static int read_api_version(struct es_exec *e, const struct es_conf_entry *at, struct es_error *err)
{
    int rc = es_conf_copy_text(at, "apiVersion", &e->api_version, err);

    if (rc == 0 && !es_streq(e->api_version, API "v1") && !es_streq(e->api_version, API "v1beta1"))
        rc = es_conf_complain(at, at->node, err,
                              "exec: apiVersion must be " API "v1 or " API
                              "v1beta1; update the plugin and the kubeconfig");
    return rc;
}

static int read_interactive(struct es_exec *e, const struct es_conf_entry *at, struct es_error *err)
{
    const char *mode;
    int rc = es_conf_get_text(at, "interactiveMode", &mode, err);

    if (rc < 0)
        return rc;
    if (!mode && es_streq(e->api_version, API "v1"))
        return es_conf_complain(at, at->node, err,
                                "exec: interactiveMode must be Never, IfAvailable or Always in v1");
    if (!mode || es_streq(mode, "Never") || es_streq(mode, "IfAvailable"))
        return 0;
    if (!es_streq(mode, "Always"))
        return es_conf_complain(at, es_obj_at(at->node, "interactiveMode"), err,
                                "exec: interactiveMode must be Never, IfAvailable or Always");
    if (!isatty(STDIN_FILENO))
        return es_conf_complain(
            at, es_obj_at(at->node, "interactiveMode"), err,
            "exec: interactiveMode Always needs a terminal, and there is none; use a plugin that can log "
            "in without one and set IfAvailable or Never");
    e->interactive = true;
    return 0;
}

/* The certificate of the authority, as data however it was given. */
static int add_authority(json_t *info, const struct es_kube_profile *p, struct es_error *err)
{
    struct es_blob read = {0};
    struct es_buf base64;
    int rc = p->ca.path ? es_kube_read_file(&read, p->ca.path, err) : 0;
    const struct es_blob *pem = p->ca.path ? &read : &p->ca.data;

    if (rc < 0)
        return es_error_wrap(err, "%s: certificate-authority: ", p->origin);
    es_buf_init(&base64, 2 * ES_KUBE_FILE_MAX);
    es_base64_encode(&base64, pem->ptr, pem->len);
    if (pem->len && (es_buf_failed(&base64) || json_object_set_new(info, "certificate-authority-data",
                                                                   json_string(es_buf_str(&base64))) < 0))
        rc = es_error_nomem(err);
    es_buf_fini(&base64);
    es_blob_fini(&read);
    return rc;
}

/* What the vendor of a cluster put into it for the plugin. */
static int add_extension(json_t *info, const struct es_conf_entry *cluster)
{
    const json_t *extensions = es_obj_at(cluster->node, "extensions"), *one;
    size_t i;

    json_array_foreach (extensions, i, one) {
        json_t *extension = es_obj_at(one, "extension");
        if (extension && es_streq(es_obj_str(one, "name"), API "exec"))
            return json_object_set(info, "config", extension);
    }
    return 0;
}

static int add_cluster(json_t *spec, const struct es_kube_profile *p, const struct es_conf_entry *cluster,
                       struct es_error *err)
{
    json_t *info = json_pack("{s:s,s:s*,s:s*}", "server", p->server, "tls-server-name", p->server_name,
                             "proxy-url", p->proxy);

    if (json_object_set_new(spec, "cluster", info) < 0 || add_extension(info, cluster) < 0)
        return es_error_nomem(err);
    if (p->insecure && json_object_set_new(info, "insecure-skip-tls-verify", json_true()) < 0)
        return es_error_nomem(err);
    return add_authority(info, p, err);
}

static int build_info(struct es_exec *e, const struct es_kube_profile *p, const struct es_conf_entry *at,
                      const struct es_conf_entry *cluster, struct es_error *err)
{
    bool provide;
    int rc = es_conf_get_bool(at, "provideClusterInfo", &provide, err);

    if (rc < 0)
        return rc;
    json_t *question = json_pack("{s:s,s:s,s:{s:b}}", "apiVersion", e->api_version, "kind", "ExecCredential",
                                 "spec", "interactive", e->interactive);
    if (!question)
        return es_error_nomem(err);
    if (provide)
        rc = add_cluster(json_object_get(question, "spec"), p, cluster, err);
    if (rc == 0) {
        e->info = es_json_text(question, NULL);
        rc = e->info ? 0 : es_error_nomem(err);
    }
    json_decref(question);
    return rc;
}

static int read_command(struct es_exec *e, const struct es_conf_entry *at, struct es_error *err)
{
    const char *command;
    int rc = es_conf_get_text(at, "command", &command, err);

    if (rc < 0)
        return rc;
    if (!command)
        return es_conf_complain(at, at->node, err, "exec: there is no command");
    e->command = strchr(command, '/') ? es_conf_resolve(at->file, command) : es_mem_strdup(command);
    return e->command ? 0 : es_error_nomem(err);
}

int es_conf_read_exec(struct es_kube_profile *p, const struct es_conf_entry *user,
                      const struct es_conf_entry *cluster, struct es_error *err)
{
    struct es_conf_entry at = {user->file, NULL};
    int rc = es_conf_get_object(user, "exec", &at.node, err);

    if (rc < 0 || !at.node)
        return rc;
    p->exec = es_mem_calloc(1, sizeof *p->exec);
    if (!p->exec)
        return es_error_nomem(err);
    p->exec->origin = es_mem_strdup(p->origin);
    if (!p->exec->origin)
        return es_error_nomem(err);
    rc = read_command(p->exec, &at, err);
    if (rc == 0)
        rc = read_args(p->exec, &at, err);
    if (rc == 0)
        rc = read_env(p->exec, &at, err);
    if (rc == 0)
        rc = read_api_version(p->exec, &at, err);
    if (rc == 0)
        rc = read_interactive(p->exec, &at, err);
    if (rc == 0)
        rc = es_conf_copy_text(&at, "installHint", &p->exec->install_hint, err);
    if (rc == 0)
        rc = build_info(p->exec, p, &at, cluster, err);
    return rc;
}
