/* push: a secret is made if there is none, its labels and annotations are brought up to date, and
 * a version is added if the value is another one. */
#include "ops.h"

#include <inttypes.h>

#include <esp/codec.h>
#include <esp/json.h>
#include <esp/push.h>

#include "busy.h"
#include "crc32c.h"
#include "push_spec.h"
#include "version.h"

#define TRIES 3 /* for somebody else who writes the same secret */

struct push {
    const struct gcp_store *s;
    struct esp_call *call;
    esp_bytes key, property;
    const json_t *spec;    /* of the metadata */
    struct esp_text value; /* what is pushed */
    bool is_new;           /* the secret was made by this push: it has no version yet */
    bool again;            /* somebody else was quicker */
};

/* ---- requests ---- */

/* Sends `body` (JSON) to the path. ESP_OK: there is an answer. */
static esp_status send(struct push *p, const char *method, const char *api, const struct esp_text *path,
                       esp_bytes body, struct gcp_verdict *v)
{
    struct esp_http_response answer;

    esp_status status = gcp_ask(
        p->s, p->call, &(struct gcp_ask){.method = method, .api = api, .path = path, .body = body}, &answer);
    if (status == ESP_OK)
        *v = gcp_judge(&answer);
    return status;
}

/* The same with a document, which is taken. A refusal fails the operation, but not one by somebody
 * who was quicker: then p->again is set. */
static esp_status send_document(struct push *p, const char *method, const char *api,
                                const struct esp_text *path, json_t *take_document)
{
    struct gcp_verdict v = {0};
    struct esp_text body;

    esp_text_init(&body, GCP_MAX_LARGE);
    bool written = take_document && esp_tree_write(take_document, &body);
    json_decref(take_document);
    esp_status status =
        written ? send(p, method, api, path, esp_text_bytes(&body), &v) : gcp_no_memory(p->call);
    esp_text_free(&body);
    if (status != ESP_OK || v.status == ESP_OK)
        return status;
    p->again = v.http == 409 || gcp_is_unfit(&v);
    if (v.status == ESP_E_NOT_FOUND) /* the project, or a secret that was just there */
        v.status = ESP_E_RETRY;
    return p->again ? ESP_OK : gcp_refuse(p->call, &v, api, p->key);
}

/* ---- the secret ---- */

static esp_status create(struct push *p)
{
    struct esp_text path;

    esp_text_init(&path, GCP_MAX_SMALL);
    gcp_add_parent(p->s, &path);
    esp_text_adds(&path, "/secrets?secretId=");
    esp_query_add(&path, p->key);
    esp_status status = send_document(p, "POST", "CreateSecret", &path, gcp_push_create(p->s, p->spec));
    esp_text_free(&path);
    p->is_new = status == ESP_OK && !p->again;
    return status;
}

/* The members of a change but its etag, as a field mask. */
static void add_mask(const json_t *change, struct esp_text *path)
{
    const char *name;
    json_t *value;
    bool first = true;

    json_object_foreach ((json_t *)change, name, value)
        if (!esp_equal_str(esp_str(name), "etag")) {
            esp_text_addf(path, "%s%s", first ? "" : "%2C", name);
            first = false;
        }
}

static esp_status update(struct push *p, const json_t *secret)
{
    json_t *change = gcp_push_change(secret, p->spec, p->property.len > 0);
    struct esp_text path;

    if (change && json_object_size(change) == 0) {
        json_decref(change);
        return ESP_OK;
    }
    esp_text_init(&path, GCP_MAX_SMALL);
    gcp_add_secret(p->s, p->key, &path);
    esp_text_adds(&path, "?updateMask=");
    add_mask(change, &path);
    esp_status status = send_document(p, "PATCH", "UpdateSecret", &path, change);
    esp_text_free(&path);
    return status;
}

/* Whose secret it is matters when it is replaced; a property is added to anybody's. */
static esp_status adjust(struct push *p, const json_t *secret)
{
    if (p->property.len == 0 && !gcp_is_managed(secret))
        return gcp_fail(p->call, ESP_E_CONFIG, 0, "secret %.*s is not managed by external secrets",
                        ESP_ARG(p->key));
    return update(p, secret);
}

static esp_status push_secret(struct push *p)
{
    struct gcp_verdict v;
    json_t *secret;

    esp_status status = gcp_get_secret(p->s, p->call, p->key, &secret, &v);
    if (status != ESP_OK)
        return status;
    if (v.status == ESP_E_NOT_FOUND)
        return create(p);
    if (v.status != ESP_OK)
        return gcp_refuse(p->call, &v, "GetSecret", p->key);
    status = adjust(p, secret);
    json_decref(secret);
    return status;
}

/* ---- its value ---- */

/* Whether what is there is what is pushed. */
static bool is_equal(const struct push *p, const struct esp_text *there)
{
    struct esp_text found;

    if (p->property.len == 0)
        return esp_equal(esp_text_bytes(there), esp_text_bytes(&p->value));
    esp_text_init(&found, GCP_MAX_LARGE);
    bool equal = esp_json_get(esp_text_bytes(there), p->property, ESP_JSON_ESCAPED_FIRST, &found) == 1 &&
                 esp_equal(esp_text_bytes(&found), esp_text_bytes(&p->value));
    esp_text_free(&found);
    return equal;
}

/* Puts the value as a string at the property of the document that is there. */
static esp_status set_property(struct push *p, const struct esp_text *there, struct esp_text *out)
{
    struct esp_text quoted;

    if (there->len && !esp_json_check(esp_text_bytes(there), NULL))
        return gcp_fail(p->call, ESP_E_CONFIG, 0,
                        "cannot set property %.*s: the value of secret %.*s is no JSON", ESP_ARG(p->property),
                        ESP_ARG(p->key));
    esp_text_init(&quoted, GCP_MAX_LARGE);
    esp_json_quote(esp_text_bytes(&p->value), &quoted);
    int set = esp_text_failed(&quoted)
                  ? -1
                  : esp_json_set(esp_text_bytes(there), p->property, esp_text_bytes(&quoted), out);
    esp_text_free(&quoted);
    if (set == 0)
        return gcp_fail(p->call, ESP_E_CONFIG, 0,
                        "cannot set property %.*s in the JSON of secret %.*s: it names no place there",
                        ESP_ARG(p->property), ESP_ARG(p->key));
    return set == 1 ? ESP_OK : gcp_no_memory(p->call);
}

static void write_version(esp_bytes value, struct esp_text *body)
{
    esp_text_adds(body, "{\"payload\":{\"data\":\"");
    esp_base64_add(body, value);
    esp_text_addf(body, "\",\"dataCrc32c\":\"%" PRIu32 "\"}}", gcp_crc32c(value));
}

static esp_status add_version(struct push *p, esp_bytes value)
{
    struct esp_text path, body;
    struct gcp_verdict v = {0};

    if (value.len > GCP_MAX_VALUE)
        return gcp_fail(p->call, ESP_E_CONFIG, 0,
                        "AddSecretVersion of %.*s: the value has %zu bytes, and Secret Manager takes %zu",
                        ESP_ARG(p->key), value.len, GCP_MAX_VALUE);
    esp_text_init(&path, GCP_MAX_SMALL);
    esp_text_init(&body, GCP_MAX_LARGE);
    gcp_add_secret(p->s, p->key, &path);
    esp_text_adds(&path, ":addVersion");
    write_version(value, &body);
    esp_status status = esp_text_failed(&body)
                            ? gcp_no_memory(p->call)
                            : send(p, "POST", "AddSecretVersion", &path, esp_text_bytes(&body), &v);
    esp_text_free(&path);
    esp_text_free(&body);
    if (status != ESP_OK || v.status == ESP_OK)
        return status;
    if (v.status == ESP_E_NOT_FOUND)
        v.status = ESP_E_RETRY; /* deleted meanwhile */
    return gcp_refuse(p->call, &v, "AddSecretVersion", p->key);
}

static esp_status push_over(struct push *p, const struct esp_text *there)
{
    struct esp_text document;

    if (p->property.len == 0)
        return add_version(p, esp_text_bytes(&p->value));
    esp_text_init(&document, GCP_MAX_LARGE);
    esp_status status = set_property(p, there, &document);
    if (status == ESP_OK)
        status = add_version(p, esp_text_bytes(&document));
    esp_text_free(&document);
    return status;
}

static esp_status push_value(struct push *p)
{
    struct gcp_verdict v = {.status = ESP_E_NOT_FOUND};
    struct esp_text there;
    esp_status status = ESP_OK;

    esp_text_init(&there, GCP_MAX_LARGE);
    if (!p->is_new)
        status = gcp_access(p->s, p->call, p->key, esp_str("latest"), &there, &v);
    if (status == ESP_OK && v.status != ESP_OK && v.status != ESP_E_NOT_FOUND)
        status = gcp_refuse(p->call, &v, GCP_ACCESS, p->key);
    if (status == ESP_OK && (v.status == ESP_E_NOT_FOUND || !is_equal(p, &there)))
        status = push_over(p, &there);
    esp_text_free(&there);
    return status;
}

/* ---- the operation ---- */

static esp_status push_all(struct push *p)
{
    esp_status status = ESP_OK;
    int tries = 0;

    do {
        p->again = false;
        status = push_secret(p);
    } while (status == ESP_OK && p->again && ++tries < TRIES);
    if (status == ESP_OK && p->again)
        return gcp_fail(p->call, ESP_E_RETRY, 0, "secret %.*s is being changed by somebody else",
                        ESP_ARG(p->key));
    return status == ESP_OK ? push_value(p) : status;
}

static esp_status push_alone(struct push *p)
{
    struct esp_text path;
    bool memory = false;

    esp_text_init(&path, GCP_MAX_SMALL);
    gcp_add_secret(p->s, p->key, &path);
    struct gcp_busy *mine = esp_text_failed(&path) ? NULL : gcp_busy_begin(esp_text_bytes(&path), &memory);
    esp_text_free(&path);
    if (!mine)
        return memory ? gcp_fail(p->call, ESP_E_RETRY, 1000, "another push to secret %.*s is under way",
                                 ESP_ARG(p->key))
                      : gcp_no_memory(p->call);
    esp_status status = push_all(p);
    gcp_busy_end(mine);
    return status;
}

static esp_status prepare(struct push *p, const struct esp_request *req, const json_t *data, json_t **spec)
{
    const json_t *metadata = json_object_get(data, "metadata");
    esp_status status;

    if (p->key.len == 0)
        return gcp_fail(p->call, ESP_E_CONFIG, 0, "remoteRef.remoteKey is empty");
    if (p->property.len && metadata && !json_is_null(metadata))
        return gcp_fail(p->call, ESP_E_CONFIG, 0, "cannot specify metadata and property at the same time");
    *spec = gcp_push_spec(p->call, req, &status);
    p->spec = *spec;
    return status == ESP_OK ? esp_push_value(gcp_host, p->call, req, &p->value) : status;
}

esp_status gcp_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *data = esp_tree_read(req->json), *spec = NULL;

    if (!data)
        return gcp_no_memory(call);
    struct push p = {.s = instance,
                     .call = call,
                     .key = esp_tree_text(data, "remoteKey"),
                     .property = esp_tree_text(data, "property")};
    esp_text_init(&p.value, GCP_MAX_LARGE);
    esp_status status = prepare(&p, req, data, &spec);
    if (status == ESP_OK)
        status = push_alone(&p);
    esp_text_free(&p.value);
    json_decref(spec);
    json_decref(data);
    return status;
}
