/* plugins/kubernetes/validate.c: is the spec sound, and may the store read? */
#include <string.h>

#include <esp/json.h>

#include "api.h"

/* Continued with the status, or with what the transport says. */
#define UNKNOWN "could not verify if client is valid: "
#define AUTHORIZATION "/apis/authorization.k8s.io/v1/"

/* ---- check ---- */

struct check {
    struct esp_call *call;
    const json_t *spec;
    bool cluster_wide;
    esp_bytes ns; /* the store's own */
};

static esp_status refuse(const struct check *c, const char *why)
{
    return esp_failf(kube_host, c->call, ESP_E_CONFIG, "%s", why);
}

/* A ClusterSecretStore may leave the namespace of a credential away: then it is that of whoever
 * uses the store. */
static esp_status check_namespace(const struct check *c, const json_t *ref)
{
    esp_bytes ns = esp_tree_text(ref, "namespace");

    if (!c->cluster_wide && ns.len && !esp_equal(ns, c->ns))
        return refuse(c, "namespace should either be empty or match the namespace of the SecretStore for a "
                         "namespaced SecretStore");
    return ESP_OK;
}

static esp_status check_secret(const struct check *c, const json_t *ref, const char *what)
{
    const char *empty = esp_tree_text(ref, "name").len == 0  ? "Name"
                        : esp_tree_text(ref, "key").len == 0 ? "Key"
                                                             : NULL;

    if (empty)
        return esp_failf(kube_host, c->call, ESP_E_CONFIG, "%s.%s cannot be empty", what, empty);
    return check_namespace(c, ref);
}

static esp_status check_auth(const struct check *c)
{
    const json_t *auth = json_object_get(c->spec, "auth"), *cert = json_object_get(auth, "cert");
    const json_t *token = json_object_get(auth, "token"), *account = json_object_get(auth, "serviceAccount");
    const json_t *ref = json_object_get(c->spec, "authRef");
    esp_status status = ESP_OK;

    if (cert)
        status = check_secret(c, json_object_get(cert, "clientCert"), "ClientCert");
    if (cert && status == ESP_OK)
        status = check_secret(c, json_object_get(cert, "clientKey"), "ClientKey");
    if (token && status == ESP_OK)
        status = check_secret(c, json_object_get(token, "bearerToken"), "BearerToken");
    if (account && status == ESP_OK)
        status = check_namespace(c, account);
    if (ref && status == ESP_OK)
        status = check_secret(c, ref, "AuthRef");
    return status;
}

static esp_status check_server(const struct check *c)
{
    const json_t *server = json_object_get(c->spec, "server"), *ca = json_object_get(server, "caProvider");
    bool named = esp_tree_text(ca, "namespace").len > 0;

    if (!ca && esp_tree_text(server, "caBundle").len == 0 && !json_object_get(c->spec, "authRef"))
        return kube_host->emit(c->call, ESP_OUT_WARNING, esp_str(""),
                               esp_str("No caBundle or caProvider specified; TLS connections will use system "
                                       "certificate roots."));
    if (ca && c->cluster_wide && !named)
        return refuse(c, "CAProvider.namespace must not be empty with ClusterSecretStore");
    if (ca && !c->cluster_wide && named)
        return refuse(c, "CAProvider.namespace must be empty with SecretStore");
    return ESP_OK;
}

esp_status kube_check(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *document = esp_tree_read(request->json);

    (void)instance;
    if (!document)
        return kube_no_memory(call);
    const json_t *store = json_object_get(document, "store");
    const struct check c = {.call = call,
                            .spec = json_object_get(document, "spec"),
                            .cluster_wide = esp_equal_str(esp_tree_text(store, "kind"), "ClusterSecretStore"),
                            .ns = esp_tree_text(store, "namespace")};
    esp_status status = check_server(&c);
    if (status == ESP_OK)
        status = check_auth(&c);
    json_decref(document);
    return status;
}

/* ---- validate ---- */

static bool lists(const json_t *array, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach (array, i, item)
        if (json_is_string(item) && (esp_equal_str(esp_str(json_string_value(item)), word) ||
                                     esp_equal_str(esp_str(json_string_value(item)), "*")))
            return true;
    return false;
}

static bool may_read(const json_t *review)
{
    const json_t *rules = json_object_get(json_object_get(review, "status"), "resourceRules");
    json_t *rule;
    size_t i;

    json_array_foreach (rules, i, rule) {
        const json_t *groups = json_object_get(rule, "apiGroups");
        if (lists(json_object_get(rule, "resources"), "secrets") &&
            lists(json_object_get(rule, "verbs"), "get") &&
            (json_array_size(groups) == 0 || lists(groups, "")))
            return true;
    }
    return false;
}

/* A store whose rights cannot be asked for may work all the same: that is not decided. */
static esp_status review(const struct kube_store *store, struct esp_call *call, const char *path,
                         const char *api, const struct esp_text *body, json_t **ret)
{
    const char *kind = api + strlen("Create");
    const struct kube_request request = {"POST", api, esp_str(path), esp_text_bytes(body)};
    struct esp_http_response answer;

    if (esp_text_failed(body))
        return kube_no_memory(call);
    esp_status status = kube_ask(store, call, &request, &answer);
    if (status == ESP_E_UNDECIDED || status == ESP_E_CANCELLED || status == ESP_E_INTERNAL)
        return status;
    if (status != ESP_OK)
        return kube_host->fail(call, ESP_E_UNDECIDED, 0, esp_str(UNKNOWN));
    if (answer.status == 201 || answer.status == 200)
        *ret = esp_tree_read(answer.body);
    if (*ret)
        return ESP_OK;
    return esp_failf(kube_host, call, ESP_E_UNDECIDED, UNKNOWN "the API server answered %s with status %d%s",
                     kind, answer.status, answer.status == 401 ? " (Unauthorized)" : "");
}

/* Creates a review of the namespace: `spec` is the beginning of its document up to the namespace, `rest` what
 * stands behind it. */
static esp_status review_namespace(const struct kube_store *store, struct esp_call *call, const char *path,
                                   const char *api, const char *spec, const char *rest, json_t **ret)
{
    struct esp_text body;

    esp_text_init(&body, 1024);
    esp_text_addf(&body, "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"%s\",\"spec\":%s",
                  api + strlen("Create"), spec);
    esp_json_quote(store->remote_namespace, &body);
    esp_text_adds(&body, rest);
    esp_status status = review(store, call, path, api, &body, ret);
    esp_text_free(&body);
    return status;
}

static esp_status ask_for_rules(const struct kube_store *store, struct esp_call *call, bool *allowed)
{
    json_t *answer = NULL;
    esp_status status = review_namespace(store, call, AUTHORIZATION "selfsubjectrulesreviews",
                                         "CreateSelfSubjectRulesReview", "{\"namespace\":", "}}", &answer);
    *allowed = may_read(answer);
    json_decref(answer);
    return status;
}

/* Rules that an authorizer cannot list, as those of a webhook, show here only. */
static esp_status ask_for_access(const struct kube_store *store, struct esp_call *call, bool *allowed)
{
    json_t *answer = NULL;
    esp_status status = review_namespace(
        store, call, AUTHORIZATION "selfsubjectaccessreviews", "CreateSelfSubjectAccessReview",
        "{\"resourceAttributes\":{\"resource\":\"secrets\",\"verb\":\"get\",\"namespace\":", "}}}", &answer);
    *allowed = json_is_true(json_object_get(json_object_get(answer, "status"), "allowed"));
    json_decref(answer);
    return status;
}

esp_status kube_validate(void *instance, struct esp_call *call, const struct esp_request *request)
{
    const struct kube_store *store = instance;
    bool allowed = false;

    (void)request;
    esp_status status = ask_for_rules(store, call, &allowed);
    if (status == ESP_OK && !allowed)
        status = ask_for_access(store, call, &allowed);
    if (status != ESP_OK || allowed)
        return status;
    return esp_failf(kube_host, call, ESP_E_DENIED, "client is not allowed to get secrets");
}
