#include "pairs.h"

#include <stdlib.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "kube.h"

void kube_pairs_free(struct kube_pairs *p)
{
    for (size_t i = 0; i < p->count; i++) {
        esp_dup_free(p->items[i].name);
        esp_dup_free(p->items[i].value);
    }
    free(p->items);
    *p = (struct kube_pairs){0};
}

static esp_pair *find(const struct kube_pairs *p, esp_bytes name)
{
    for (size_t i = 0; i < p->count; i++)
        if (esp_equal(p->items[i].name, name))
            return &p->items[i];
    return NULL;
}

static bool reserve(struct kube_pairs *p)
{
    if (p->count < p->cap)
        return true;
    size_t cap = p->cap ? p->cap * 2 : 8;
    esp_pair *items = reallocarray(p->items, cap, sizeof *items);
    if (!items)
        return false;
    p->items = items;
    p->cap = cap;
    return true;
}

static void add(struct kube_pairs *p, esp_bytes name, esp_bytes value)
{
    esp_bytes own_name = esp_dup(name), own_value = esp_dup(value);

    if (!own_name.ptr || !own_value.ptr || !reserve(p)) {
        esp_dup_free(own_name);
        esp_dup_free(own_value);
        p->failed = true;
        return;
    }
    p->items[p->count++] = (esp_pair){own_name, own_value};
}

void kube_pairs_set(struct kube_pairs *p, esp_bytes name, esp_bytes value)
{
    esp_pair *old = find(p, name);

    if (!old) {
        add(p, name, value);
        return;
    }
    esp_bytes copy = esp_dup(value);
    if (!copy.ptr) {
        p->failed = true;
        return;
    }
    esp_dup_free(old->value);
    old->value = copy;
}

/* Names do not come twice in what is added to nothing, so nothing is looked for: a Secret may
 * have tens of thousands of keys. */
typedef void put_fn(struct kube_pairs *p, esp_bytes name, esp_bytes value);

static put_fn *put_of(const struct kube_pairs *p)
{
    return p->count ? kube_pairs_set : add;
}

void kube_pairs_merge(struct kube_pairs *p, const struct kube_pairs *from)
{
    put_fn *put = put_of(p);

    p->failed = p->failed || from->failed;
    for (size_t i = 0; i < from->count; i++)
        put(p, from->items[i].name, from->items[i].value);
}

bool kube_pairs_remove(struct kube_pairs *p, esp_bytes name)
{
    esp_pair *old = find(p, name);

    if (!old)
        return false;
    esp_dup_free(old->name);
    esp_dup_free(old->value);
    *old = p->items[--p->count];
    return true;
}

const esp_bytes *kube_pairs_get(const struct kube_pairs *p, esp_bytes name)
{
    const esp_pair *found = find(p, name);
    return found ? &found->value : NULL;
}

bool kube_pairs_equal(const struct kube_pairs *a, const struct kube_pairs *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const esp_bytes *other = kube_pairs_get(b, a->items[i].name);
        if (!other || !esp_equal(*other, a->items[i].value))
            return false;
    }
    return true;
}

void kube_pairs_read(struct kube_pairs *p, esp_bytes json)
{
    struct esp_json_iter it;
    struct esp_text name, value;
    esp_bytes raw_name, raw_value;
    put_fn *put = put_of(p);

    if (json.len == 0 || !esp_json_members(&it, json))
        return;
    esp_text_init(&name, KUBE_MAX_TEXT);
    esp_text_init(&value, KUBE_MAX_TEXT);
    while (esp_json_next(&it, &raw_name, &raw_value)) {
        esp_text_cut(&name, 0);
        esp_text_cut(&value, 0);
        esp_json_plain(raw_name, &name);
        esp_json_plain(raw_value, &value);
        put(p, esp_text_bytes(&name), esp_text_bytes(&value));
    }
    p->failed = p->failed || esp_text_failed(&name) || esp_text_failed(&value);
    esp_text_free(&name);
    esp_text_free(&value);
}

void kube_pairs_decode(struct kube_pairs *ret, const struct kube_pairs *encoded)
{
    struct esp_text plain;

    esp_text_init(&plain, KUBE_MAX_TEXT);
    ret->failed = ret->failed || encoded->failed;
    for (size_t i = 0; i < encoded->count && !ret->failed; i++) {
        esp_text_cut(&plain, 0);
        if (esp_base64_decode(encoded->items[i].value, &plain))
            add(ret, encoded->items[i].name, esp_text_bytes(&plain));
        else
            ret->failed = true;
    }
    esp_text_free(&plain);
}
