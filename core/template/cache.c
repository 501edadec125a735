#include "core/template/cache.h"

#include <pthread.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"

#define SLOTS 256
#define TEXT_MAX ((size_t)2 << 20)

struct slot {
    struct es_template *template; /* NULL: free */
    char *text, *left, *right;
    size_t len;
    uint64_t hash, used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct slot slots[SLOTS];
static size_t text_bytes;
static uint64_t clock_ticks;

static void drop_locked(struct slot *s)
{
    text_bytes -= s->len;
    es_template_free(s->template);
    es_mem_free(s->text);
    es_mem_free(s->left);
    es_mem_free(s->right);
    *s = (struct slot){0};
}

static struct slot *find_locked(uint64_t hash, const char *text, size_t len, const char *left,
                                const char *right)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &slots[i];
        if (s->template && s->hash == hash && s->len == len && memcmp(s->text, text, len) == 0 &&
            es_streq(s->left, left) && es_streq(s->right, right))
            return s;
    }
    return NULL;
}

/* A free slot, or that which nobody asked for longest. */
static struct slot *victim_locked(void)
{
    struct slot *oldest = &slots[0];

    for (size_t i = 0; i < SLOTS; i++) {
        if (!slots[i].template)
            return &slots[i];
        if (slots[i].used < oldest->used)
            oldest = &slots[i];
    }
    return oldest;
}

static struct slot *oldest_locked(void)
{
    struct slot *oldest = NULL;

    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].template && (!oldest || slots[i].used < oldest->used))
            oldest = &slots[i];
    return oldest;
}

static char *copy_of(const char *text, size_t len)
{
    char *copy = es_mem_alloc(len + 1);

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

/* Without memory the template is not kept, which is no failure. */
static void keep_locked(struct es_template *t, uint64_t hash, const char *text, size_t len, const char *left,
                        const char *right)
{
    while (text_bytes + len > TEXT_MAX && oldest_locked())
        drop_locked(oldest_locked());
    struct slot *s = victim_locked();
    if (s->template)
        drop_locked(s);
    *s = (struct slot){.text = copy_of(text, len),
                       .left = es_mem_strdup(left),
                       .right = es_mem_strdup(right),
                       .hash = hash,
                       .used = ++clock_ticks};
    if (s->text && s->left && s->right) {
        s->template = es_template_hold(t);
        s->len = len;
        text_bytes += len;
    } else {
        drop_locked(s);
    }
}

int es_template_get(struct es_template **ret, const char *name, const char *text, size_t len,
                    const struct es_template_opts *opts, struct es_error *err)
{
    const char *left = es_template_delimiter(opts, true), *right = es_template_delimiter(opts, false);
    uint64_t hash = es_hash64(text, len);
    struct es_template *found = NULL;

    pthread_mutex_lock(&lock);
    struct slot *s = find_locked(hash, text, len, left, right);
    if (s) {
        s->used = ++clock_ticks;
        found = es_template_hold(s->template);
    }
    pthread_mutex_unlock(&lock);
    if (!found) {
        int rc = es_template_new(&found, name, text, len, opts, err);
        if (rc < 0)
            return rc;
        pthread_mutex_lock(&lock);
        if (len < TEXT_MAX / 4 && !find_locked(hash, text, len, left, right))
            keep_locked(found, hash, text, len, left, right);
        pthread_mutex_unlock(&lock);
    }
    *ret = found;
    return 0;
}

void es_template_cache_clear(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i].template)
            drop_locked(&slots[i]);
    pthread_mutex_unlock(&lock);
}

int es_template_run(const char *name, const char *text, size_t len, const json_t *data,
                    const struct es_template_opts *opts, struct es_blob *ret, struct es_error *err)
{
    struct es_template *t = NULL;
    int rc = es_template_get(&t, name, text, len, opts, err);

    if (rc == 0)
        rc = es_template_execute(t, name, data, opts, ret, err);
    es_template_free(t);
    return rc;
}
