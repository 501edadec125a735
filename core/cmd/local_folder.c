#include "core/cmd/local_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/cmd/secret_view.h"
#include "core/kube/obj.h"
#include "core/plugin/crd_validate.h"

#define DEPTH_MAX 16
#define FILES_MAX 10000

struct applied {
    const struct es_kind *kind;
    char *key, *ns, *name;
    uint64_t round;
};

struct es_folder {
    char *path;
    struct es_map applied; /* "Kind/ns/name" -> applied */
    uint64_t round;
};

/* One reading of the folder. */
struct reading {
    struct es_folder *folder;
    struct es_local *local;
    const struct es_crds *crds;
    void (*complain)(void *ctx, const char *text);
    void *ctx;
    int complaints;
    struct es_error *err;
    const char *file;
    const struct es_yaml_doc *doc;
};

/* ---- files ---- */

struct file_list {
    char **names;
    size_t count, cap;
};

static int list_add(struct file_list *l, char *take_name)
{
    if (l->count == FILES_MAX || !take_name)
        goto fail;
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        char **names = realloc(l->names, cap * sizeof *names);
        if (!names)
            goto fail;
        l->names = names;
        l->cap = cap;
    }
    l->names[l->count++] = take_name;
    return 0;
fail:
    es_mem_free(take_name);
    return -1;
}

static bool is_manifest(const char *name)
{
    return es_str_ends(name, ".yaml") || es_str_ends(name, ".yml") || es_str_ends(name, ".json");
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int list_dir(struct file_list *l, const char *path, int depth)
{
    struct dirent **entries = NULL;
    int n = depth < DEPTH_MAX ? scandir(path, &entries, visible, alphasort) : 0;
    int rc = 0;

    for (int i = 0; i < n; i++) {
        char *full = es_strf("%s/%s", path, entries[i]->d_name);
        struct stat st;
        if (!full || stat(full, &st) < 0) {
            es_mem_free(full);
        } else if (S_ISDIR(st.st_mode)) {
            rc |= list_dir(l, full, depth + 1);
            es_mem_free(full);
        } else if (is_manifest(entries[i]->d_name)) {
            rc |= list_add(l, full);
        } else {
            es_mem_free(full);
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int list_files(const struct es_folder *f, struct file_list *l)
{
    struct stat st;
    if (stat(f->path, &st) == 0 && S_ISDIR(st.st_mode))
        return list_dir(l, f->path, 0);
    return list_add(l, es_mem_strdup(f->path));
}

static void list_fini(struct file_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        es_mem_free(l->names[i]);
    free(l->names);
}

uint64_t es_folder_fingerprint(struct es_folder *f)
{
    struct file_list list = {0};
    uint64_t h = 0;

    list_files(f, &list);
    for (size_t i = 0; i < list.count; i++) {
        struct stat st = {0};
        char text[4352];
        stat(list.names[i], &st);
        int n = snprintf(text, sizeof text, "%llx|%s|%lld|%lld.%09ld", (unsigned long long)h, list.names[i],
                         (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        h = es_hash64(text, n > 0 && n < (int)sizeof text ? (size_t)n : 0);
    }
    list_fini(&list);
    return h;
}

/* ---- objects ---- */

static void complain(struct reading *r, int line, const char *text)
{
    char *full = line > 0 ? es_strf("%s:%d: %s", r->file, line, text) : es_strf("%s: %s", r->file, text);
    r->complaints++;
    if (full)
        r->complain(r->ctx, full);
    es_mem_free(full);
}

static void on_problem(void *ctx, const struct es_crd_problem *p)
{
    struct reading *r = ctx;
    int line = !p->parent ? r->doc->line
               : p->key   ? es_yaml_line_of_key(r->doc, p->parent, p->key)
                          : es_yaml_line_of_index(r->doc, p->parent, p->index);
    char *text = es_strf("%s: %s", p->path, p->text);
    complain(r, line > 0 ? line : r->doc->line, text ? text : p->text);
    es_mem_free(text);
}

static void remember(struct reading *r, const struct es_kind *kind, const json_t *object)
{
    const char *ns = *es_obj_namespace(object) ? es_obj_namespace(object) : "default";
    const char *name = es_obj_name(object);
    char *key = es_strf("%s/%s/%s", kind->kind, kind->namespaced ? ns : "", name);
    struct applied *a = key ? es_map_get(&r->folder->applied, key) : NULL;

    if (a) {
        a->round = r->folder->round;
        es_mem_free(key);
        return;
    }
    a = calloc(1, sizeof *a);
    if (!a || !key) {
        free(a);
        es_mem_free(key);
        return;
    }
    *a = (struct applied){.kind = kind,
                          .key = key,
                          .ns = es_mem_strdup(ns),
                          .name = es_mem_strdup(name),
                          .round = r->folder->round};
    if (!a->ns || !a->name || es_map_put(&r->folder->applied, a->key, a, NULL) < 0) {
        es_mem_free(a->ns);
        es_mem_free(a->name);
        es_mem_free(a->key);
        free(a);
    }
}

static bool has_string(const json_t *object, const char *what)
{
    return json_is_string(json_object_get(object, what)) && *es_obj_str(object, what);
}

/* Checks one object and applies it; complains otherwise. */
static void take_object(struct reading *r, json_t *object)
{
    struct es_error err = ES_ERROR_INIT;
    const char *api_version = es_obj_str(object, "apiVersion"), *kind_name = es_obj_str(object, "kind");

    if (!json_is_object(object) || !has_string(object, "apiVersion") || !has_string(object, "kind")) {
        complain(r, r->doc->line, "this is no Kubernetes object: apiVersion and kind are missing");
        return;
    }
    const struct es_kind *kind = es_kind_find(api_version, kind_name);
    if (!*es_obj_name(object)) {
        complain(r, r->doc->line, "metadata.name is missing");
        return;
    }
    int rc = es_crd_check(r->crds, object, on_problem, r, &err);
    if (rc > 0)
        return;
    if (rc == 0)
        es_crd_default(r->crds, object, &err);
    if (!kind) /* a Deployment beside its ExternalSecret is no mistake */
        return;
    if (kind == &es_kind_secret && es_view_encode(object) < 0) {
        complain(r, r->doc->line, "out of memory");
        return;
    }
    rc = es_local_apply(r->local, object, &err);
    if (rc < 0)
        complain(r, r->doc->line, err.text);
    else
        remember(r, kind, object);
}

static void take_document(struct reading *r)
{
    json_t *root = r->doc->root, *item;
    size_t i;

    if (es_streq(es_obj_str(root, "kind"), "List") && json_is_array(json_object_get(root, "items"))) {
        json_array_foreach (json_object_get(root, "items"), i, item)
            take_object(r, item);
        return;
    }
    take_object(r, root);
}

static void take_file(struct reading *r, const char *file)
{
    struct es_yaml yaml = {0};
    struct es_error err = ES_ERROR_INIT;

    r->file = file;
    if (es_yaml_load(&yaml, file, &err) < 0) {
        /* The text begins with file:line already. */
        r->complaints++;
        r->complain(r->ctx, err.text);
        return;
    }
    for (size_t i = 0; i < yaml.count; i++) {
        r->doc = &yaml.docs[i];
        take_document(r);
    }
    es_yaml_fini(&yaml);
}

static void applied_free(struct applied *a)
{
    es_mem_free(a->key);
    es_mem_free(a->ns);
    es_mem_free(a->name);
    free(a);
}

/* What this round did not bring any more. */
static void delete_missing(struct reading *r)
{
    struct es_folder *f = r->folder;
    struct applied *a;

    for (size_t pos = 0; (a = es_map_next(&f->applied, &pos));)
        if (a->round != f->round) {
            es_local_delete(r->local, a->kind, a->ns, a->name, NULL);
            es_map_remove(&f->applied, a->key);
            applied_free(a);
            pos = 0;
        }
}

int es_folder_apply(struct es_folder *f, struct es_local *local, const struct es_crds *crds,
                    void (*complain_fn)(void *ctx, const char *text), void *ctx, struct es_error *err)
{
    struct file_list list = {0};
    struct reading r = {
        .folder = f, .local = local, .crds = crds, .complain = complain_fn, .ctx = ctx, .err = err};

    if (list_files(f, &list) < 0) {
        list_fini(&list);
        return es_error_set(err, ES_E_TOO_LARGE, "%s: more than %d manifests, or out of memory", f->path,
                            FILES_MAX);
    }
    f->round++;
    for (size_t i = 0; i < list.count; i++)
        take_file(&r, list.names[i]);
    /* A file that cannot be read now may hold what was there before. */
    if (!r.complaints)
        delete_missing(&r);
    list_fini(&list);
    return r.complaints;
}

int es_folder_new(struct es_folder **ret, const char *dir, struct es_error *err)
{
    struct stat st;

    if (stat(dir, &st) < 0)
        return es_error_set(err, ES_E_CONFIG, "%s: %s", dir, strerror(errno));
    struct es_folder *f = calloc(1, sizeof *f);
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (!f || !(f->path = es_strf("%.*s", (int)len, dir))) {
        free(f);
        return es_error_nomem(err);
    }
    *ret = f;
    return 0;
}

void es_folder_free(struct es_folder *f)
{
    struct applied *a;

    if (!f)
        return;
    for (size_t pos = 0; (a = es_map_next(&f->applied, &pos));)
        applied_free(a);
    es_map_fini(&f->applied);
    es_mem_free(f->path);
    free(f);
}
