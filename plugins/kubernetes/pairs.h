/* plugins/kubernetes/pairs.h: names and values that are changed: data, labels, annotations. */
#ifndef KUBE_PAIRS_H
#define KUBE_PAIRS_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

/* Owns copies of its names and values, and wipes them. Remembers a failed addition, so that
 * a series of them is checked once. Zeroes are an empty one. */
struct kube_pairs {
    esp_pair *items;
    size_t count, cap;
    bool failed;
};

void kube_pairs_free(struct kube_pairs *p);
void kube_pairs_set(struct kube_pairs *p, esp_bytes name, esp_bytes value); /* copies; replaces */
void kube_pairs_merge(struct kube_pairs *p, const struct kube_pairs *from);
bool kube_pairs_remove(struct kube_pairs *p, esp_bytes name); /* whether it was there */

/* The value, borrowed until the next change; NULL if there is none. */
const esp_bytes *kube_pairs_get(const struct kube_pairs *p, esp_bytes name);

/* The same names with the same values, in whatever order. */
bool kube_pairs_equal(const struct kube_pairs *a, const struct kube_pairs *b);

/* Adds the members of a JSON object, whose names do not repeat, as plain text. Nothing for
 * what is none. */
void kube_pairs_read(struct kube_pairs *p, esp_bytes json);

/* The same pairs, into an empty one, with values that were base64; failed if one was none. */
void kube_pairs_decode(struct kube_pairs *ret, const struct kube_pairs *encoded);

#endif
