#include "core/kube/kubeconfig_entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

const struct es_yaml_doc *es_conf_doc_of(const struct es_conf_file *f)
{
    return f->yaml.count ? &f->yaml.docs[0] : NULL;
}

int es_conf_complain(const struct es_conf_entry *at, const json_t *node, struct es_error *err,
                     const char *fmt, ...)
{
    char what[512];
    va_list ap;
    int line = node ? es_yaml_line(es_conf_doc_of(at->file), node) : 0;

    /* true, false and null are shared nodes without a line of their own. */
    if (node && line == 0 && at->node)
        line = es_yaml_line(es_conf_doc_of(at->file), at->node);

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (line > 0)
        return es_error_set(err, ES_E_CONFIG, "%s:%d: %s", at->file->path, line, what);
    return es_error_set(err, ES_E_CONFIG, "%s: %s", at->file->path, what);
}

/* A text, NULL when absent. Borrowed. */
int es_conf_get_text(const struct es_conf_entry *at, const char *name, const char **ret, struct es_error *err)
{
    const json_t *value = es_obj_at(at->node, name);

    *ret = NULL;
    if (!value)
        return 0;
    if (!json_is_string(value))
        return es_conf_complain(at, value, err, "%s must be a string; put it in quotes", name);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return es_conf_complain(at, value, err, "%s holds a NUL character", name);
    if (json_string_length(value))
        *ret = json_string_value(value);
    return 0;
}

int es_conf_copy_text(const struct es_conf_entry *at, const char *name, char **ret, struct es_error *err)
{
    const char *text;
    int rc = es_conf_get_text(at, name, &text, err);

    if (rc < 0 || !text)
        return rc;
    *ret = es_mem_strdup(text);
    return *ret ? 0 : es_error_nomem(err);
}

int es_conf_get_bool(const struct es_conf_entry *at, const char *name, bool *ret, struct es_error *err)
{
    const json_t *value = es_obj_at(at->node, name);

    if (value && !json_is_boolean(value))
        return es_conf_complain(at, value, err, "%s must be true or false", name);
    *ret = json_is_true(value);
    return 0;
}

int es_conf_get_object(const struct es_conf_entry *at, const char *name, const json_t **ret,
                       struct es_error *err)
{
    const json_t *value = es_obj_at(at->node, name);

    if (value && !json_is_object(value))
        return es_conf_complain(at, value, err, "%s must be a mapping", name);
    *ret = value;
    return 0;
}

int es_conf_get_array(const struct es_conf_entry *at, const char *name, const json_t **ret,
                      struct es_error *err)
{
    const json_t *value = es_obj_at(at->node, name);

    if (value && !json_is_array(value))
        return es_conf_complain(at, value, err, "%s must be a list", name);
    *ret = value;
    return 0;
}

/* Relative to the directory of the file that says so. */
char *es_conf_resolve(const struct es_conf_file *f, const char *path)
{
    const char *slash = strrchr(f->path, '/');

    if (*path == '/' || !slash)
        return es_mem_strdup(path);
    return es_strf("%.*s/%s", (int)(slash - f->path), f->path, path);
}

static int get_data(const struct es_conf_entry *at, const char *name, struct es_blob *ret,
                    struct es_error *err)
{
    const char *text;
    size_t bad;
    int rc = es_conf_get_text(at, name, &text, err);

    if (rc < 0 || !text)
        return rc;
    rc = es_base64_decode(ret, ES_BASE64_STD, text, strlen(text), &bad);
    if (rc == ES_E_INVALID)
        return es_conf_complain(at, es_obj_at(at->node, name), err, "%s is not base64 (character %zu)", name,
                                bad + 1);
    return rc < 0 ? es_error_nomem(err) : 0;
}

/* NAME-data wins over the file at NAME, as client-go has it. */
int es_conf_get_source(const struct es_conf_entry *at, const char *name, struct es_kube_source *ret,
                       struct es_error *err)
{
    char data_name[64];
    const char *path;

    snprintf(data_name, sizeof data_name, "%s-data", name);
    int rc = get_data(at, data_name, &ret->data, err);
    if (rc == 0)
        rc = es_conf_get_text(at, name, &path, err);
    if (rc < 0 || !path || ret->data.len)
        return rc;
    ret->path = es_conf_resolve(at->file, path);
    return ret->path ? 0 : es_error_nomem(err);
}
