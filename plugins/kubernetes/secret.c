#include "secret.h"

#include <esp/json.h>

#include "kube.h"

#define MAX_FIELD ((size_t)4096)

static void read_metadata(struct kube_secret *s, esp_bytes json)
{
    struct esp_json_iter it;
    esp_bytes name, value;

    s->raw_metadata = json;
    if (!esp_json_members(&it, json))
        return;
    while (esp_json_next(&it, &name, &value)) {
        if (esp_equal_str(name, "\"name\"")) {
            esp_json_plain(value, &s->name);
        } else if (esp_equal_str(name, "\"resourceVersion\"")) {
            esp_json_plain(value, &s->version);
        } else if (esp_equal_str(name, "\"uid\"")) {
            esp_json_plain(value, &s->uid);
        } else if (esp_equal_str(name, "\"labels\"")) {
            s->has_labels = true;
            kube_pairs_read(&s->labels, value);
        } else if (esp_equal_str(name, "\"annotations\"")) {
            s->has_annotations = true;
            kube_pairs_read(&s->annotations, value);
        }
    }
}

bool kube_secret_read(struct kube_secret *ret, esp_bytes text)
{
    struct esp_json_iter it;
    esp_bytes name, value;

    *ret = (struct kube_secret){.text = text};
    esp_text_init(&ret->name, MAX_FIELD);
    esp_text_init(&ret->type, MAX_FIELD);
    esp_text_init(&ret->version, MAX_FIELD);
    esp_text_init(&ret->uid, MAX_FIELD);
    if (esp_json_kind(text) != ESP_JSON_OBJECT || !esp_json_members(&it, text))
        return false;
    while (esp_json_next(&it, &name, &value)) {
        if (esp_equal_str(name, "\"metadata\""))
            read_metadata(ret, value);
        else if (esp_equal_str(name, "\"data\""))
            kube_pairs_read(&ret->data, value);
        else if (esp_equal_str(name, "\"type\""))
            esp_json_plain(value, &ret->type);
    }
    bool failed = ret->data.failed || ret->labels.failed || ret->annotations.failed ||
                  esp_text_failed(&ret->name) || esp_text_failed(&ret->type) ||
                  esp_text_failed(&ret->version) || esp_text_failed(&ret->uid);
    return !failed && ret->name.len;
}

void kube_secret_free(struct kube_secret *s)
{
    esp_text_free(&s->name);
    esp_text_free(&s->type);
    esp_text_free(&s->version);
    esp_text_free(&s->uid);
    kube_pairs_free(&s->data);
    kube_pairs_free(&s->labels);
    kube_pairs_free(&s->annotations);
}

bool kube_secret_values(const struct kube_secret *s, struct esp_text *out)
{
    struct kube_pairs plain = {0};

    kube_pairs_decode(&plain, &s->data);
    if (!plain.failed)
        esp_json_values(plain.items, plain.count, false, out);
    bool done = !plain.failed && !esp_text_failed(out);
    kube_pairs_free(&plain);
    return done;
}
