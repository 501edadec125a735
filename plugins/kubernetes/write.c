#include "write.h"

#include <esp/codec.h>
#include <esp/json.h>

#define MAX_PATH ((size_t)1024)

/* ---- bodies ---- */

static void add_quoted(struct esp_text *out, const char *name, esp_bytes value)
{
    esp_text_addf(out, ",\"%s\":", name);
    esp_json_quote(value, out);
}

static void add_pairs(struct esp_text *out, const char *name, const struct kube_pairs *pairs)
{
    esp_text_addf(out, ",\"%s\":", name);
    esp_json_values(pairs->items, pairs->count, false, out);
}

static bool is_among(esp_bytes quoted_name, const char *const *names)
{
    for (; *names; names++)
        if (esp_equal_str(quoted_name, *names))
            return true;
    return false;
}

/* The members of an object as they are, but for some. */
static void add_rest(struct esp_text *out, esp_bytes object, const char *const *but)
{
    struct esp_json_iter it;
    esp_bytes name, value;

    if (object.len == 0 || !esp_json_members(&it, object))
        return;
    while (esp_json_next(&it, &name, &value)) {
        if (is_among(name, but))
            continue;
        esp_text_addc(out, ',');
        esp_text_add(out, name);
        esp_text_addc(out, ':');
        esp_text_add(out, value);
    }
}

/* `old` may be NULL. managedFields are left away: the API server keeps its own. */
static void add_body(struct esp_text *out, const struct kube_draft *draft, const struct kube_secret *old)
{
    static const char *const own[] = {"\"apiVersion\"", "\"kind\"", "\"metadata\"", "\"data\"", "\"type\"",
                                      "\"stringData\"", NULL};
    static const char *const own_metadata[] = {"\"name\"",        "\"namespace\"",     "\"labels\"",
                                               "\"annotations\"", "\"managedFields\"", NULL};

    esp_text_adds(out, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":");
    esp_json_quote(draft->name, out);
    add_quoted(out, "namespace", draft->ns);
    add_pairs(out, "labels", draft->labels);
    add_pairs(out, "annotations", draft->annotations);
    if (old)
        add_rest(out, old->raw_metadata, own_metadata);
    esp_text_addc(out, '}');
    add_quoted(out, "type", draft->type);
    add_pairs(out, "data", draft->data);
    if (old)
        add_rest(out, old->text, own);
    esp_text_addc(out, '}');
}

/* ---- requests ---- */

static esp_status ask(const struct kube_store *store, struct esp_call *call, const char *method,
                      const char *api, esp_bytes ns, esp_bytes name, const struct esp_text *body,
                      struct esp_http_response *answer)
{
    struct esp_text path;

    if (esp_text_failed(body))
        return kube_no_memory(call);
    esp_text_init(&path, MAX_PATH);
    kube_path(&path, ns, name);
    const struct kube_request request = {method, api, esp_text_bytes(&path), esp_text_bytes(body)};
    esp_status status = kube_ask(store, call, &request, answer);
    esp_text_free(&path);
    return status;
}

/* What became of a write. A Secret that is gone (404) has lost a race like one that has changed;
 * a namespace that is not there is no race. */
static esp_status judge(struct esp_call *call, const struct esp_http_response *answer, const char *verb,
                        esp_bytes name, esp_bytes ns, bool *raced)
{
    char what[KUBE_WHAT_MAX];

    *raced = answer->status == 409 || kube_is_missing(answer);
    if (*raced || (answer->status >= 200 && answer->status <= 299))
        return ESP_OK;
    kube_what(what, verb, name, ns);
    if (answer->status == 404)
        return esp_failf(kube_host, call, ESP_E_CONFIG, "cannot %s: there is no such namespace (status 404)",
                         what);
    return kube_refused(call, answer, what);
}

static esp_status write(const struct kube_store *store, struct esp_call *call, const struct kube_draft *draft,
                        const struct kube_secret *old, bool *raced)
{
    struct esp_http_response answer;
    struct esp_text body;

    esp_text_init(&body, KUBE_MAX_TEXT);
    add_body(&body, draft, old);
    esp_status status = ask(store, call, old ? "PUT" : "POST", old ? "UpdateSecret" : "CreateSecret",
                            draft->ns, old ? draft->name : esp_str(""), &body, &answer);
    esp_text_free(&body);
    return status == ESP_OK ? judge(call, &answer, old ? "update" : "create", draft->name, draft->ns, raced)
                            : status;
}

esp_status kube_create(const struct kube_store *store, struct esp_call *call, const struct kube_draft *draft,
                       bool *raced)
{
    return write(store, call, draft, NULL, raced);
}

esp_status kube_replace(const struct kube_store *store, struct esp_call *call, const struct kube_draft *draft,
                        const struct kube_secret *old, bool *raced)
{
    return write(store, call, draft, old, raced);
}

esp_status kube_delete(const struct kube_store *store, struct esp_call *call, esp_bytes ns,
                       const struct kube_secret *old, bool *raced)
{
    esp_bytes name = esp_text_bytes(&old->name);
    struct esp_http_response answer;
    struct esp_text body;

    esp_text_init(&body, 8192);
    esp_text_adds(&body, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":");
    esp_json_quote(esp_text_bytes(&old->uid), &body);
    add_quoted(&body, "resourceVersion", esp_text_bytes(&old->version));
    esp_text_adds(&body, "}}");
    esp_status status = ask(store, call, "DELETE", "DeleteSecret", ns, name, &body, &answer);
    esp_text_free(&body);
    return status == ESP_OK ? judge(call, &answer, "delete", name, ns, raced) : status;
}

esp_status kube_outraced(struct esp_call *call, const char *verb, esp_bytes name, esp_bytes ns)
{
    char what[KUBE_WHAT_MAX];

    kube_what(what, verb, name, ns);
    return esp_failf(kube_host, call, ESP_E_RETRY, "cannot %s: somebody else changed it %d times meanwhile",
                     what, KUBE_MAX_WRITES);
}
