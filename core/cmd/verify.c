#include "core/cmd/verify.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/cmd/load.h"
#include "core/plugin/pin.h"
#include "core/plugin/registry.h"

enum result { RESULT_OK, RESULT_MISMATCH, RESULT_NOT_PINNED, RESULT_MISSING, RESULT_UNREADABLE };

static const char *const words[] = {[RESULT_OK] = "ok",
                                    [RESULT_MISMATCH] = "MISMATCH",
                                    [RESULT_NOT_PINNED] = "not pinned",
                                    [RESULT_MISSING] = "missing",
                                    [RESULT_UNREADABLE] = "unreadable"};

/* What was found of one entry. */
struct finding {
    const struct es_plugin_entry *entry;
    char *file; /* NULL: missing */
    char hex[ES_SHA256_HEX_MAX];
    enum result result;
};

struct report {
    json_t *list; /* NULL: a table is printed */
    struct es_buf rows, lines;
    bool bad;
};

#define OUTPUT_MAX ((size_t)1 << 20)

/* 0, or out of memory; all else is a finding, and its reason goes to stderr. */
static int look(struct finding *f, const char *const *path, struct es_error *err)
{
    struct es_error why = ES_ERROR_INIT;

    int rc = es_registry_find(&f->file, path, f->entry->name, &why);
    f->result = RESULT_MISSING;
    if (rc == 0) {
        rc = es_pin_digest(f->hex, f->file, &why);
        f->result = RESULT_UNREADABLE;
    }
    if (rc == 0) {
        rc = f->entry->sha256 ? es_pin_compare(f->hex, f->entry->sha256, &why) : 0;
        f->result = rc < 0 ? RESULT_MISMATCH : f->entry->sha256 ? RESULT_OK : RESULT_NOT_PINNED;
    }
    if (rc == ES_E_NOMEM)
        return es_error_nomem(err);
    if (rc < 0) {
        es_registry_explain(f->entry, f->file, rc, &why);
        fprintf(stderr, "esod: %s\n", why.text);
    }
    return 0;
}

static void add_row(struct report *r, const struct finding *f)
{
    bool path = strchr(f->entry->name, '/');

    es_buf_addf(&r->rows, "%-14s %-10s %-64s %s\n", f->entry->name, words[f->result], *f->hex ? f->hex : "-",
                f->file ? f->file : "-");
    if (f->result == RESULT_NOT_PINNED) {
        es_buf_addf(&r->lines, "  - %s: ", path ? "path" : "name");
        es_buf_add_json(&r->lines, f->entry->name, strlen(f->entry->name));
        es_buf_addf(&r->lines, "\n    sha256: \"%s\"\n", f->hex);
    }
}

static int add_object(struct report *r, const struct finding *f, struct es_error *err)
{
    json_t *o = json_pack("{s:s,s:s?,s:s?,s:s?,s:s}", "name", f->entry->name, "path", f->file, "sha256",
                          *f->hex ? f->hex : NULL, "pinned", f->entry->sha256, "result", words[f->result]);

    if (o && f->result == RESULT_NOT_PINNED)
        json_object_set_new(o, "line", json_sprintf("sha256: \"%s\"", f->hex));
    return json_array_append_new(r->list, o) < 0 ? es_error_nomem(err) : 0;
}

static int report(struct report *r, const struct es_plugin_entry *entry, const char *const *path,
                  struct es_error *err)
{
    struct finding f = {.entry = entry};
    int rc = look(&f, path, err);

    if (rc == 0) {
        r->bad = r->bad || (f.result != RESULT_OK && f.result != RESULT_NOT_PINNED);
        if (r->list)
            rc = add_object(r, &f, err);
        else
            add_row(r, &f);
    }
    es_mem_free(f.file);
    return rc;
}

/* An installed plugin goes by the name that an entry would have: where there is
 * no list, the name leads to this file. */
static int report_installed(void *ctx, const char *file, struct es_error *err)
{
    const char *base = strrchr(file, '/') + 1;
    char *dir = es_strf("%.*s", (int)(base - 1 - file), file);
    char *name = es_strf("%.*s", (int)(strlen(base) - strlen(".so")), base);
    const struct es_plugin_entry entry = {.name = name};

    int rc = dir && name ? report(ctx, &entry, (const char *const[]){dir, NULL}, err) : es_error_nomem(err);
    es_mem_free(dir);
    es_mem_free(name);
    return rc;
}

static void print_table(const struct es_config *c, const struct report *r)
{
    if (r->rows.len)
        printf("%-14s %-10s %-64s %s\n%s", "PLUGIN", "RESULT", "SHA-256", "PATH", es_buf_str(&r->rows));
    if (r->lines.len)
        printf("\nTo pin what is not pinned, the configuration says:\n\nplugins:\n%s", es_buf_str(&r->lines));
    if (!r->rows.len)
        es_say_no_plugins(c);
}

int es_verify_plugins(const struct es_config *config, bool json, bool *ret_bad, struct es_error *err)
{
    struct report r = {.list = json ? json_array() : NULL};
    int rc = 0;

    es_buf_init(&r.rows, OUTPUT_MAX);
    es_buf_init(&r.lines, OUTPUT_MAX);
    if (!config->plugins_given)
        rc = es_registry_each_file(config->plugin_path, report_installed, &r, err);
    for (size_t i = 0; rc == 0 && i < config->plugin_count; i++)
        rc = report(&r, &config->plugins[i], config->plugin_path, err);
    if (rc == 0 && (es_buf_failed(&r.rows) || es_buf_failed(&r.lines)))
        rc = es_error_nomem(err);
    if (rc == 0 && json)
        rc = es_print_json(json_pack("{s:O}", "plugins", r.list), err);
    else if (rc == 0)
        print_table(config, &r);
    json_decref(r.list);
    es_buf_fini(&r.rows);
    es_buf_fini(&r.lines);
    *ret_bad = r.bad;
    return rc;
}
