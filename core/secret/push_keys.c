#include "core/secret/push_keys.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/gotext.h"

static void key_fini(struct es_push_key *key)
{
    es_mem_free(key->name);
    es_mem_free(key->remote);
}

void es_push_keys_fini(struct es_push_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        key_fini(&keys->items[i]);
    es_mem_free(keys->items);
    *keys = (struct es_push_keys){0};
}

/* ---- conversion ---- */

/* The character that stands at `at` as _U12AB_, and how long that is; 0: none does. A
 * null character stays written out: no name may have one. */
static size_t read_escape(const char *at, uint32_t *rune)
{
    size_t digits = 0;

    if (at[0] != '_' || at[1] != 'U')
        return 0;
    while (digits < 5 && isxdigit((unsigned char)at[2 + digits]))
        digits++;
    if (digits < 4 || at[2 + digits] != '_')
        return 0;
    *rune = (uint32_t)strtoul(at + 2, NULL, 16);
    return *rune ? digits + 3 : 0;
}

static char *reverse_unicode(const char *key)
{
    struct es_buf out;

    es_buf_init(&out, ES_REWRITTEN_KEY_MAX);
    while (*key) {
        char text[4];
        uint32_t rune;
        size_t len = read_escape(key, &rune);
        if (len)
            es_buf_add(&out, text, es_utf8_encode(rune, text));
        else
            es_buf_addc(&out, *key);
        key += len ? len : 1;
    }
    char *name = es_buf_take(&out);
    es_buf_fini(&out);
    return name;
}

static int by_name(const void *a, const void *b)
{
    const struct es_push_key *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int refuse_collisions(const struct es_push_keys *keys, struct es_error *err)
{
    for (size_t i = 1; i < keys->count; i++)
        if (es_streq(keys->items[i - 1].name, keys->items[i].name))
            return es_error_set(err, ES_E_CONFIG, "secret name collision during conversion: %s",
                                keys->items[i].name);
    return 0;
}

int es_push_keys_convert(struct es_push_keys *ret, const struct es_values *values, const char *strategy,
                         struct es_error *err)
{
    const bool reverse = es_streq(strategy, "ReverseUnicode");
    struct es_push_keys keys = {.items = es_mem_calloc(values->count + 1, sizeof *keys.items)};

    if (!keys.items)
        return es_error_nomem(err);
    for (; keys.count < values->count; keys.count++) {
        const char *source = values->items[keys.count].key;
        char *name = reverse ? reverse_unicode(source) : es_mem_strdup(source);
        if (!name) {
            es_push_keys_fini(&keys);
            return es_error_nomem(err);
        }
        keys.items[keys.count] = (struct es_push_key){.name = name, .source = source};
    }
    qsort(keys.items, keys.count, sizeof *keys.items, by_name);
    int rc = refuse_collisions(&keys, err);
    if (rc < 0)
        es_push_keys_fini(&keys);
    else
        *ret = keys;
    return rc;
}

/* ---- match ---- */

/* err->text behind `before` and the quoted text. */
static int wrap_quoted(struct es_error *err, const char *before, const char *text)
{
    struct es_buf quoted;

    es_buf_init(&quoted, ES_ERROR_TEXT_MAX);
    es_go_quote(&quoted, text);
    es_error_wrap(err, "%s%s: ", before, es_buf_str(&quoted));
    es_buf_fini(&quoted);
    return err ? err->code : ES_E_CONFIG;
}

int es_push_keys_match(struct es_push_keys *keys, const char *pattern, struct es_error *err)
{
    struct es_regex *re = NULL;
    size_t kept = 0;
    int rc = 0;

    if (!*pattern)
        return 0;
    if (es_regex_new(&re, pattern, err) < 0)
        return wrap_quoted(err, "failed to compile regexp pattern ", pattern);
    for (size_t i = 0; i < keys->count; i++) {
        struct es_push_key *key = &keys->items[i];
        int found = rc < 0 ? 0 : es_regex_search(re, key->name, strlen(key->name), err);
        if (found < 0)
            rc = found;
        if (found > 0)
            keys->items[kept++] = *key;
        else
            key_fini(key);
    }
    keys->count = kept;
    es_regex_free(re);
    return rc;
}

/* ---- rewrite ---- */

/* One step: a pattern or a template. */
struct step {
    struct es_regex *re; /* NULL: a template */
    const char *target;
    const char *template;
    const struct es_renderer *renderer;
};

static int prepare_regexp(struct step *s, const json_t *regexp, struct es_error *err)
{
    const char *source = es_obj_str(regexp, "source");

    s->target = es_obj_str(regexp, "target");
    return es_regex_new(&s->re, source, err) < 0 ? wrap_quoted(err, "invalid regexp ", source) : 0;
}

static int prepare_transform(struct step *s, const json_t *transform, struct es_error *err)
{
    s->template = es_obj_str(transform, "template");
    if (!s->renderer || !s->renderer->render)
        return es_error_set(err, ES_E_UNSUPPORTED, "invalid template: no template engine in this build");
    if (!s->renderer->parse || s->renderer->parse(s->renderer->ctx, s->template, err) == 0)
        return 0;
    es_error_wrap(err, "invalid template: ");
    return err->code;
}

static int render(const struct step *s, const char *name, struct es_buf *out, struct es_error *err)
{
    json_t *data = json_pack("{s:s}", "value", name);
    int rc = data ? s->renderer->render(s->renderer->ctx, s->template, data, out, err)
                  : es_error_set(err, ES_E_CONFIG, "the key is not UTF-8");

    json_decref(data);
    if (rc < 0)
        es_error_wrap(err, "template exec: ");
    return rc;
}

static int rename_key(const struct step *s, struct es_push_key *key, struct es_error *err)
{
    struct es_buf out;
    char *name = NULL;

    es_buf_init(&out, ES_REWRITTEN_KEY_MAX);
    int rc = s->re ? es_regex_replace_all(s->re, key->remote, strlen(key->remote), s->target, &out, err)
                   : render(s, key->remote, &out, err);
    if (rc == 0 && es_buf_failed(&out))
        rc = es_error_set(err, ES_E_TOO_LARGE, "the new key is above %zu bytes", ES_REWRITTEN_KEY_MAX);
    if (rc == 0 && strlen(es_buf_str(&out)) != out.len)
        rc = es_error_set(err, ES_E_CONFIG, "the new key contains a null byte");
    if (rc == 0 && !(name = es_buf_take(&out)))
        rc = es_error_nomem(err);
    es_buf_fini(&out);
    if (rc < 0)
        return rc;
    es_mem_free(key->remote);
    key->remote = name;
    return 0;
}

static int take_step(struct es_push_keys *keys, size_t index, const json_t *op,
                     const struct es_renderer *renderer, struct es_error *err)
{
    const json_t *regexp = es_obj_at(op, "regexp"), *transform = es_obj_at(op, "transform");
    struct step s = {.renderer = renderer};
    char where[64];

    if (!regexp && !transform)
        return 0;
    int rc = regexp ? prepare_regexp(&s, regexp, err) : prepare_transform(&s, transform, err);
    if (rc < 0)
        es_error_wrap(err, "rewrite[%zu]: ", index);
    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        rc = rename_key(&s, &keys->items[i], err);
        if (rc < 0 && snprintf(where, sizeof where, "rewrite[%zu] on key ", index) > 0)
            wrap_quoted(err, where, keys->items[i].remote);
    }
    es_regex_free(s.re);
    return rc;
}

int es_push_keys_rewrite(struct es_push_keys *keys, const json_t *rewrite, const struct es_renderer *renderer,
                         struct es_error *err)
{
    json_t *op;
    size_t i;

    for (i = 0; i < keys->count; i++) {
        keys->items[i].remote = es_mem_strdup(keys->items[i].name);
        if (!keys->items[i].remote)
            return es_error_nomem(err);
    }
    json_array_foreach (rewrite, i, op) {
        int rc = take_step(keys, i, op, renderer, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
