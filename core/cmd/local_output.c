#include "core/cmd/local_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/cmd/secret_view.h"
#include "core/kube/obj.h"
#include "core/secret/target.h"

#define TEXT_MAX ((size_t)64 << 20)

struct output {
    struct es_local *local;
    const struct es_output_opts *opts;
    struct es_error *err;
    int rc;
    int count;
    json_t *list;
};

static bool is_managed(const json_t *secret)
{
    return es_streq(es_obj_str(secret, "metadata", "labels", ES_LABEL_MANAGED), "true");
}

/* ---- a Secret without what only machines care for ---- */

static json_t *presentable(const json_t *secret, bool show_values)
{
    static const char *const noise[] = {"uid",           "resourceVersion", "generation", "creationTimestamp",
                                        "managedFields", "ownerReferences"};
    json_t *copy = json_deep_copy(secret), *value;
    json_t *data = json_object_get(copy, "data");
    const char *key;
    void *next;

    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        json_object_del(json_object_get(copy, "metadata"), noise[i]);
    if (!show_values)
        json_object_foreach_safe (data, next, key, value)
            json_object_set_new(data, key, es_view_hidden(value));
    return copy;
}

static bool collect(void *ctx, const json_t *secret)
{
    struct output *o = ctx;
    if (is_managed(secret))
        json_array_append_new(o->list, presentable(secret, o->opts->show_values));
    return true;
}

static int print_yaml(const json_t *list, struct es_error *err)
{
    struct es_buf out;
    json_t *item;
    size_t i;

    es_buf_init(&out, TEXT_MAX);
    json_array_foreach (list, i, item) {
        es_buf_adds(&out, i ? "---\n" : "");
        es_yaml_write(&out, item, false);
    }
    int rc = es_buf_failed(&out) ? es_error_set(err, ES_E_TOO_LARGE, "the output is too large") : 0;
    if (rc == 0)
        fwrite(es_buf_str(&out), 1, out.len, stdout);
    es_buf_fini(&out);
    return rc;
}

static int print_documents(struct output *o)
{
    o->list = json_array();
    if (!o->list)
        return es_error_nomem(o->err);
    es_local_each(o->local, &es_kind_secret, collect, o);
    int rc = 0;
    if (o->opts->form == ES_OUT_YAML) {
        rc = print_yaml(o->list, o->err);
    } else {
        json_t *list = json_pack("{s:s,s:s,s:O}", "apiVersion", "v1", "kind", "List", "items", o->list);
        if (!list || json_dumpf(list, stdout, JSON_INDENT(2)) < 0)
            rc = es_error_nomem(o->err);
        putchar('\n');
        json_decref(list);
    }
    json_decref(o->list);
    return rc;
}

/* ---- a folder of files ---- */

static int make_dir(const char *path, struct es_error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return es_error_set(err, ES_E_CONFIG, "%s: %s", path, strerror(errno));
}

/* Whole or not at all: a reader never sees half a Secret. */
static int write_file(const char *path, const struct es_buf *text, struct es_error *err)
{
    char *temporary = es_strf("%s.tmp", path);
    if (!temporary)
        return es_error_nomem(err);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool done = fd >= 0 && write(fd, es_buf_str(text), text->len) == (ssize_t)text->len;
    if (fd >= 0)
        done = close(fd) == 0 && done;
    done = done && rename(temporary, path) == 0;
    if (!done) {
        es_error_set(err, ES_E_CONFIG, "%s: %s", path, strerror(errno));
        unlink(temporary);
    }
    es_mem_free(temporary);
    return done ? 0 : err->code;
}

static int write_secret(struct output *o, const json_t *secret)
{
    struct es_buf text;
    json_t *copy = presentable(secret, true);
    char *dir = es_strf("%s/%s", o->opts->folder, es_obj_namespace(secret));
    char *path = dir ? es_strf("%s/%s.yaml", dir, es_obj_name(secret)) : NULL;

    es_buf_init(&text, TEXT_MAX);
    int rc = copy && path ? make_dir(dir, o->err) : es_error_nomem(o->err);
    if (rc == 0) {
        es_yaml_write(&text, copy, false);
        rc = es_buf_failed(&text) ? es_error_set(o->err, ES_E_TOO_LARGE, "%s: too large", path)
                                  : write_file(path, &text, o->err);
    }
    if (rc == 0)
        printf("%s\n", path);
    es_buf_fini(&text);
    es_mem_free(path);
    es_mem_free(dir);
    json_decref(copy);
    return rc;
}

static bool each_to_file(void *ctx, const json_t *secret)
{
    struct output *o = ctx;
    if (is_managed(secret))
        o->rc = write_secret(o, secret);
    return o->rc == 0;
}

static int write_folder(struct output *o)
{
    int rc = make_dir(o->opts->folder, o->err);
    if (rc < 0)
        return rc;
    es_local_each(o->local, &es_kind_secret, each_to_file, o);
    return o->rc;
}

/* ---- the table ---- */

struct lookup {
    const char *ns, *name;
    json_t *found;
};

static bool match(void *ctx, const json_t *object)
{
    struct lookup *l = ctx;
    if (!es_streq(es_obj_namespace(object), l->ns) || !es_streq(es_obj_name(object), l->name))
        return true;
    l->found = json_deep_copy(object);
    return false;
}

static void print_values(const json_t *data, bool show)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)data, key, value) {
        struct es_blob blob = {0};
        if (es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value),
                             NULL) < 0)
            continue;
        if (!show)
            printf("    %s: (hidden, %zu bytes)\n", key, blob.len);
        else if (es_utf8_valid((const char *)blob.ptr, blob.len))
            printf("    %s: %s\n", key, (const char *)blob.ptr);
        else
            printf("    %s: (%zu bytes, not text)\n", key, blob.len);
        es_blob_fini(&blob);
    }
}

static bool each_to_table(void *ctx, const json_t *es)
{
    struct output *o = ctx;
    const json_t *ready = es_obj_condition(es, "Ready");
    const char *status = es_obj_str(ready, "status");
    bool good = es_streq(status, "True");

    json_array_append_new(o->list, json_deep_copy(es));
    const char *color = !o->opts->color ? "" : good ? "\033[32m" : "\033[31m";
    printf("%-16s %-24s %s%-6s%s %-20s %s\n", es_obj_namespace(es), es_obj_name(es), color,
           *status ? status : "-", *color ? "\033[0m" : "", es_obj_str(ready, "reason"),
           es_obj_str(es, "status", "binding", "name"));
    o->count++;
    return true;
}

static int print_table(struct output *o)
{
    json_t *es;
    size_t i;

    o->list = json_array();
    if (!o->list)
        return es_error_nomem(o->err);
    printf("%-16s %-24s %-6s %-20s %s\n", "NAMESPACE", "EXTERNALSECRET", "READY", "REASON", "SECRET");
    es_local_each(o->local, &es_kind_external_secret, each_to_table, o);
    json_array_foreach (o->list, i, es) {
        struct lookup l = {.ns = es_obj_namespace(es), .name = es_target_name(es)};
        es_local_each(o->local, &es_kind_secret, match, &l);
        if (l.found) {
            printf("\nSecret %s/%s (%s)\n", l.ns, l.name, es_obj_str(l.found, "type"));
            print_values(json_object_get(l.found, "data"), o->opts->show_values);
        }
        json_decref(l.found);
    }
    json_decref(o->list);
    return 0;
}

int es_output_write(struct es_local *local, const struct es_output_opts *opts, struct es_error *err)
{
    struct output o = {.local = local, .opts = opts, .err = err};

    switch (opts->form) {
    case ES_OUT_TABLE:
        return print_table(&o);
    case ES_OUT_FOLDER:
        return write_folder(&o);
    default:
        return print_documents(&o);
    }
}

static bool name_failure(void *ctx, const json_t *object)
{
    int *count = ctx;
    const json_t *ready = es_obj_condition(object, "Ready");
    const char *ns = es_obj_namespace(object);

    if (es_streq(es_obj_str(ready, "status"), "True"))
        return true;
    ++*count;
    fprintf(stderr, "%s %s%s%s: %s\n", es_obj_str(object, "kind"), ns, *ns ? "/" : "", es_obj_name(object),
            ready ? es_obj_str(ready, "message")
                  : "was not worked on: its store belongs to another controller class");
    return true;
}

int es_output_failures(struct es_local *local)
{
    int count = 0;
    es_local_each(local, &es_kind_cluster_secret_store, name_failure, &count);
    es_local_each(local, &es_kind_secret_store, name_failure, &count);
    es_local_each(local, &es_kind_external_secret, name_failure, &count);
    return count;
}
