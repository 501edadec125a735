/* Where plugins lie: from a name to a file, and all files of the plugin path. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/registry.h"

#define NAMED_MAX 16

/* ---- from a name to a file ---- */

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

struct there {
    struct es_buf names;
    size_t count;
};

static int add_name(void *ctx, const char *file, struct es_error *err)
{
    struct there *t = ctx;
    const char *base = strrchr(file, '/') + 1;

    (void)err;
    if (t->count++ < NAMED_MAX)
        es_buf_addf(&t->names, "%s%.*s", t->names.len ? ", " : "", (int)(strlen(base) - strlen(".so")), base);
    return 0;
}

/* A name is often just misspelt, or of a plugin that an image was built without. */
static void add_what_is_there(struct es_buf *out, const char *const *path)
{
    struct there t = {0};

    es_buf_init(&t.names, ES_ERROR_TEXT_MAX);
    es_registry_each_file(path, add_name, &t, NULL);
    if (t.count)
        es_buf_addf(out, "; the plugins there are %s", es_buf_str(&t.names));
    if (t.count > NAMED_MAX)
        es_buf_addf(out, " and %zu more", t.count - NAMED_MAX);
    es_buf_fini(&t.names);
}

static int no_such_file(const char *const *path, const char *name, struct es_error *err)
{
    struct es_buf places;

    es_buf_init(&places, 2 * ES_ERROR_TEXT_MAX);
    for (size_t i = 0; path && path[i]; i++)
        es_buf_addf(&places, "%s%s/%s.so", i ? ", " : "", path[i], name);
    if (places.len) {
        add_what_is_there(&places, path);
        es_error_set(err, ES_E_CONFIG, "no such file; looked for %s", es_buf_str(&places));
    } else {
        es_error_set(err, ES_E_CONFIG, "the plugin path is empty, and the name is no path");
    }
    es_buf_fini(&places);
    return ES_E_CONFIG;
}

int es_registry_find(char **ret, const char *const *path, const char *name, struct es_error *err)
{
    if (es_str_empty(name))
        return es_error_set(err, ES_E_CONFIG, "an entry without a name");
    if (strchr(name, '/')) {
        if (!is_file(name))
            return es_error_set(err, ES_E_CONFIG, "no such file");
        *ret = es_mem_strdup(name);
        return *ret ? 0 : es_error_nomem(err);
    }
    for (size_t i = 0; path && path[i]; i++) {
        char *full = es_strf("%s/%s.so", path[i], name);
        if (!full)
            return es_error_nomem(err);
        if (is_file(full)) {
            *ret = full;
            return 0;
        }
        es_mem_free(full);
    }
    return no_such_file(path, name, err);
}

/* ---- a whole directory ---- */

static int is_module(const struct dirent *e)
{
    return e->d_name[0] != '.' && es_str_ends(e->d_name, ".so");
}

/* Whether an earlier directory has a file of this name, which then hides this one. */
static bool is_hidden(const char *const *path, size_t at, const char *file_name)
{
    for (size_t i = 0; i < at; i++) {
        char *full = es_strf("%s/%s", path[i], file_name);
        bool there = full && is_file(full);
        es_mem_free(full);
        if (there)
            return true;
    }
    return false;
}

static int visit(const char *dir, const char *file_name, es_registry_file_fn *fn, void *ctx,
                 struct es_error *err)
{
    char *file = es_strf("%s%s/%s", strchr(dir, '/') ? "" : "./", dir, file_name);

    int rc = file ? fn(ctx, file, err) : es_error_nomem(err);
    es_mem_free(file);
    return rc;
}

int es_registry_each_file(const char *const *path, es_registry_file_fn *fn, void *ctx, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; path && path[i] && rc == 0; i++) {
        struct dirent **names;
        int count = scandir(path[i], &names, is_module, alphasort);
        if (count < 0)
            continue; /* a plugin path lists places where something may be */
        for (int n = 0; n < count; n++) {
            if (rc == 0 && !is_hidden(path, i, names[n]->d_name))
                rc = visit(path[i], names[n]->d_name, fn, ctx, err);
            free(names[n]);
        }
        free(names);
    }
    return rc;
}
