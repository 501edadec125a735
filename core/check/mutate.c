#include "core/check/mutate.h"

#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/mem.h"

#define HUGE_NAME ((size_t)8 << 20)
#define NESTED 100000
#define MAX_TEXT ((size_t)16 << 20)

static esp_bytes bytes(const char *text, size_t len)
{
    return (esp_bytes){(const uint8_t *)text, len};
}

/* ---- other texts ---- */

static const struct {
    const char *what, *text;
} texts[] = {
    {"an empty document", ""},
    {"the document {}", "{}"},
    {"the document null", "null"},
    {"the document []", "[]"},
    {"the document 0", "0"},
    {"a string for a document", "\"x\""},
    {"a document that is no JSON", "\x01\xff\xfe{]garbage"},
    {"a document in broken UTF-8", "{\"key\":\"\xc3\x28\xff\",\"spec\":{\"x\":\"\xed\xa0\x80\"}}"},
    {"a document with half a surrogate", "{\"key\":\"\\ud800\",\"remoteKey\":\"\\udc00x\"}"},
    {"a document with NUL in strings", "{\"key\":\"a\\u0000b\",\"remoteKey\":\"a\\u0000b\"}"},
    {"a document with members twice", "{\"key\":\"a\",\"key\":1,\"spec\":{},\"spec\":[]}"},
    {"a document with an endless number", "{\"key\":1e99999,\"spec\":{\"x\":-1e99999}}"},
};

static void nested(es_mutate_fn *fn, void *ctx, const char *what, const char *head, const char *one)
{
    struct es_buf text;

    es_buf_init(&text, MAX_TEXT);
    es_buf_adds(&text, head);
    for (int i = 0; i < NESTED; i++)
        es_buf_adds(&text, one);
    fn(ctx, what, bytes(text.ptr, text.len));
    es_buf_fini(&text);
}

static void huge(es_mutate_fn *fn, void *ctx)
{
    struct es_buf text;

    es_buf_init(&text, 3 * HUGE_NAME);
    es_buf_adds(&text, "{\"spec\":{},\"refs\":[],\"remoteKey\":\"x\",\"key\":\"");
    for (size_t i = 0; i < HUGE_NAME; i += 64)
        es_buf_adds(&text, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz012345678901");
    es_buf_adds(&text, "\"}");
    fn(ctx, "a key of 8 MiB", bytes(text.ptr, text.len));
    es_buf_fini(&text);
}

void es_mutate_text(esp_bytes right, es_mutate_fn *fn, void *ctx)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fn(ctx, texts[i].what, bytes(texts[i].text, strlen(texts[i].text)));
    for (size_t quarter = 1; quarter < 4; quarter++)
        fn(ctx, "a document that is cut off", (esp_bytes){right.ptr, right.len * quarter / 4});
    if (right.len)
        fn(ctx, "a document without its last byte", (esp_bytes){right.ptr, right.len - 1});
    nested(fn, ctx, "100,000 nested arrays", "", "[");
    nested(fn, ctx, "100,000 nested objects", "{\"spec\":", "{\"a\":");
    huge(fn, ctx);
}

/* ---- the right one, almost ---- */

struct walk {
    json_t *root;
    size_t left;
    es_mutate_fn *fn;
    void *ctx;
    char path[160];
};

static void tell(struct walk *w, const char *how)
{
    char what[200];
    char *text = w->left ? json_dumps(w->root, JSON_COMPACT) : NULL;

    if (!text)
        return;
    w->left--;
    snprintf(what, sizeof what, "%s %s", w->path, how);
    w->fn(w->ctx, what, bytes(text, strlen(text)));
    es_mem_free(text);
}

/* What a member may become. */
static json_t *other(int which)
{
    switch (which) {
    case 0:
        return json_null();
    case 1:
        return json_integer(-1);
    case 2:
        return json_true();
    case 3:
        return json_string("");
    case 4:
        return json_array();
    default:
        return json_object();
    }
}

static const char *const others[] = {"null",           "a number",       "a boolean", "an empty string",
                                     "an empty array", "an empty object"};

/* Of containers, members and items look alike. */
static void put(json_t *parent, const char *key, size_t index, json_t *take_value)
{
    if (key)
        json_object_set_new(parent, key, take_value);
    else
        json_array_set_new(parent, index, take_value);
}

static void change(struct walk *w, json_t *parent, const char *key, size_t index, json_t *value)
{
    char how[40];

    json_incref(value);
    for (int i = 0; i < 6; i++) {
        snprintf(how, sizeof how, "as %s", others[i]);
        put(parent, key, index, other(i));
        tell(w, how);
    }
    if (key) {
        json_object_del(parent, key);
        tell(w, "left out");
    }
    put(parent, key, index, value); /* takes the reference */
}

static void walk(struct walk *w, json_t *parent);

static void visit(struct walk *w, json_t *parent, const char *key, size_t index, json_t *value)
{
    size_t len = strlen(w->path), room = sizeof w->path - len;

    if (key)
        snprintf(w->path + len, room, "%s%s", len ? "." : "", key);
    else
        snprintf(w->path + len, room, "[%zu]", index);
    change(w, parent, key, index, value);
    walk(w, value);
    w->path[len] = '\0';
}

/* Keys are taken first: the object changes meanwhile. */
static void walk_object(struct walk *w, json_t *object)
{
    json_t *keys = json_array();
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach (object, key, member)
        json_array_append_new(keys, json_string(key));
    json_array_foreach (keys, i, member) {
        key = json_string_value(member);
        visit(w, object, key, 0, json_object_get(object, key));
    }
    json_decref(keys);
}

static void walk(struct walk *w, json_t *parent)
{
    if (json_is_object(parent) && w->left)
        walk_object(w, parent);
    for (size_t i = 0; json_is_array(parent) && i < json_array_size(parent) && w->left; i++)
        visit(w, parent, NULL, i, json_array_get(parent, i));
}

void es_mutate_tree(json_t *right, size_t max, es_mutate_fn *fn, void *ctx)
{
    struct walk w = {.root = right, .left = max, .fn = fn, .ctx = ctx};
    walk(&w, right);
}
