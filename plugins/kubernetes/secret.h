/* plugins/kubernetes/secret.h: one Secret as the API server sends it, taken apart. */
#ifndef KUBE_SECRET_H
#define KUBE_SECRET_H

#include "pairs.h"

struct kube_secret {
    esp_bytes text;         /* the object's JSON, borrowed */
    esp_bytes raw_metadata; /* likewise */
    struct esp_text name, type, version, uid;
    struct kube_pairs data; /* values are base64, as they are written */
    struct kube_pairs labels, annotations;
    bool has_labels, has_annotations;
};

/* Reads the object. False when it is not a JSON object, or there is no memory. To be
 * freed in either case. */
bool kube_secret_read(struct kube_secret *ret, esp_bytes text);
void kube_secret_free(struct kube_secret *s);

/* The values of the data as one JSON object of text, sorted by name; false when something
 * is no base64, or there is no room. */
bool kube_secret_values(const struct kube_secret *s, struct esp_text *out);

#endif
