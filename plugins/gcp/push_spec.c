#include "push_spec.h"

#include <esp/push.h>

#define BAD_METADATA "failed to parse PushSecret metadata: spec."

/* ---- reading ---- */

static bool is_map(const json_t *value)
{
    const char *key;
    json_t *member;

    json_object_foreach ((json_t *)value, key, member)
        if (!json_is_string(member))
            return false;
    return json_is_object(value);
}

static bool is_list(const json_t *value)
{
    size_t i;
    json_t *element;

    json_array_foreach (value, i, element)
        if (!json_is_string(element))
            return false;
    return json_is_array(value);
}

static bool is_text(const json_t *value)
{
    return json_is_string(value);
}

static bool is_text_or_list(const json_t *value)
{
    return is_text(value) || is_list(value);
}

static bool is_policy(const json_t *value)
{
    esp_bytes text = esp_span(json_string_value(value), json_string_length(value));
    return esp_equal_str(text, "Replace") || esp_equal_str(text, "Merge") ||
           (json_is_string(value) && !text.len);
}

static const struct {
    const char *name;
    bool (*fits)(const json_t *);
    const char *expected;
} members[] = {
    {"annotations", is_map, "an object of strings"},
    {"labels", is_map, "an object of strings"},
    {"topics", is_list, "a list of strings"},
    {"mergePolicy", is_policy, "Replace or Merge"},
    {"cmekKeyName", is_text, "a string"},
    {"replicationLocation", is_text_or_list, "a string or a list of strings"},
    {"replicationLocations", is_list, "a list of strings"},
};

static esp_status check(struct esp_call *call, const json_t *spec)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *value = json_object_get(spec, members[i].name);
        if (value && !json_is_null(value) && !members[i].fits(value))
            return gcp_fail(call, ESP_E_CONFIG, 0, BAD_METADATA "%s has to be %s", members[i].name,
                            members[i].expected);
    }
    return ESP_OK;
}

json_t *gcp_push_spec(struct esp_call *call, const struct esp_request *req, esp_status *status)
{
    static const char *const known[] = {"annotations",          "labels",      "topics",
                                        "mergePolicy",          "cmekKeyName", "replicationLocation",
                                        "replicationLocations", NULL};
    struct esp_text text;
    json_t *spec = NULL;

    esp_text_init(&text, GCP_MAX_SMALL);
    *status = esp_push_spec_of(gcp_host, call, req, known, "failed to parse PushSecret metadata: ", &text);
    if (*status == ESP_OK) {
        spec = esp_tree_read(esp_text_bytes(&text));
        *status = spec ? check(call, spec) : gcp_no_memory(call);
    }
    esp_text_free(&text);
    if (*status == ESP_OK)
        return spec;
    json_decref(spec);
    return NULL;
}

/* ---- what a secret should look like ----
 *
 * Functions that make JSON return NULL without memory, and take NULL as such. */

bool gcp_is_managed(const json_t *secret)
{
    return esp_equal_str(esp_tree_text(json_object_get(secret, "labels"), GCP_MANAGED_BY), GCP_MANAGER);
}

static bool put(json_t *object, const char *name, json_t *take_value)
{
    return json_object_set_new(object, name, take_value) == 0;
}

/* The labels of the metadata, then, with Merge, those that are there, and the one that says whose it is. */
static json_t *want_labels(const json_t *spec, const json_t *there)
{
    json_t *labels = esp_tree_copy(json_object_get(spec, "labels"));
    bool merge = esp_equal_str(esp_tree_text(spec, "mergePolicy"), "Merge");

    if (labels && (!merge || !there || json_object_update(labels, (json_t *)there) == 0) &&
        put(labels, GCP_MANAGED_BY, json_string(GCP_MANAGER)))
        return labels;
    json_decref(labels);
    return NULL;
}

static json_t *want_topics(const json_t *spec)
{
    const json_t *names = json_object_get(spec, "topics");
    json_t *topics = json_array(), *name;
    size_t i;

    json_array_foreach (names, i, name)
        if (json_array_append_new(topics, json_pack("{s:O}", "name", name)) < 0) {
            json_decref(topics);
            return NULL;
        }
    return topics;
}

/* {"kmsKeyName": ...}, or an empty object. */
static json_t *want_key(const json_t *spec)
{
    const json_t *key = json_object_get(spec, "cmekKeyName");
    return json_string_length(key) ? json_pack("{s:O}", "kmsKeyName", key) : json_object();
}

/* An object with the key in it, if there is one. */
static json_t *with_key(json_t *take_object, const json_t *spec)
{
    json_t *key = want_key(spec);

    if (take_object && key &&
        (json_object_size(key) == 0 || put(take_object, "customerManagedEncryption", json_incref(key)))) {
        json_decref(key);
        return take_object;
    }
    json_decref(key);
    json_decref(take_object);
    return NULL;
}

/* The locations of the metadata, as a list of its own; empty: Google decides. */
static json_t *want_locations(const json_t *spec)
{
    json_t *many = json_object_get(spec, "replicationLocations"),
           *one = json_object_get(spec, "replicationLocation");

    if (json_array_size(many))
        return json_incref(many);
    if (json_is_array(one))
        return json_incref(one);
    return json_string_length(one) ? json_pack("[O]", one) : json_array();
}

static json_t *want_replicas(const json_t *spec, const json_t *locations)
{
    json_t *replicas = json_array(), *location;
    size_t i;

    json_array_foreach (locations, i, location)
        if (json_array_append_new(replicas, with_key(json_pack("{s:O}", "location", location), spec)) < 0) {
            json_decref(replicas);
            return NULL;
        }
    return replicas;
}

static json_t *want_replication(const json_t *spec)
{
    json_t *locations = want_locations(spec);
    json_t *how = NULL;

    if (locations && json_array_size(locations) == 0)
        how = json_pack("{s:o}", "automatic", with_key(json_object(), spec));
    else if (locations)
        how = json_pack("{s:{s:o}}", "userManaged", "replicas", want_replicas(spec, locations));
    json_decref(locations);
    return how;
}

/* ---- requests ---- */

json_t *gcp_push_create(const struct gcp_store *s, const json_t *spec)
{
    json_t *secret =
        json_pack("{s:o, s:o, s:o}", "labels", want_labels(spec, NULL), "annotations",
                  esp_tree_copy(json_object_get(spec, "annotations")), "topics", want_topics(spec));

    if (!secret)
        return NULL;
    /* A regional secret lies where it lies; its key is its own, not a replica's. */
    if (s->location.len)
        return with_key(secret, spec);
    if (put(secret, "replication", want_replication(spec)))
        return secret;
    json_decref(secret);
    return NULL;
}

/* Adds the member if the secret has another value there; takes `take_wanted`. */
static bool change(json_t *request, const json_t *secret, const char *name, json_t *take_wanted)
{
    const json_t *there = json_object_get(secret, name);
    bool is_empty =
        json_is_object(take_wanted) ? json_object_size(take_wanted) == 0 : json_array_size(take_wanted) == 0;

    if (take_wanted && (there ? !json_equal(there, take_wanted) : !is_empty))
        return put(request, name, take_wanted);
    bool made = take_wanted != NULL;
    json_decref(take_wanted);
    return made;
}

/* A property shares the secret with others: it takes nothing away from them. */
static bool change_for_property(json_t *request, const json_t *secret)
{
    json_t *labels = esp_tree_copy(json_object_get(secret, "labels"));

    if (labels && !put(labels, GCP_MANAGED_BY, json_string(GCP_MANAGER))) {
        json_decref(labels);
        labels = NULL;
    }
    return change(request, secret, "labels", labels);
}

static bool change_as_said(json_t *request, const json_t *secret, const json_t *spec)
{
    return change(request, secret, "labels", want_labels(spec, json_object_get(secret, "labels"))) &&
           change(request, secret, "annotations", esp_tree_copy(json_object_get(spec, "annotations"))) &&
           (!json_is_array(json_object_get(spec, "topics")) ||
            change(request, secret, "topics", want_topics(spec)));
}

json_t *gcp_push_change(const json_t *secret, const json_t *spec, bool property)
{
    json_t *request = json_object();

    if (request &&
        (property ? change_for_property(request, secret) : change_as_said(request, secret, spec)) &&
        (!json_object_get(secret, "etag") || json_object_size(request) == 0 ||
         put(request, "etag", json_incref(json_object_get(secret, "etag")))))
        return request;
    json_decref(request);
    return NULL;
}
