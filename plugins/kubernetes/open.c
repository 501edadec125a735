/* plugins/kubernetes/open.c: from a spec to a store that can talk to its API server. */
#include <stdlib.h>

#include <esp/codec.h>

#include "api.h"
#include "kubeconfig.h"

#define MAX_URL ((size_t)4096)

void kube_close(void *instance, struct esp_call *call)
{
    struct kube_store *store = instance;

    (void)call;
    esp_text_free(&store->url);
    esp_dup_free(store->ca);
    esp_dup_free(store->cert);
    esp_dup_free(store->key);
    esp_dup_free(store->server_name);
    esp_dup_free(store->token);
    esp_dup_free(store->basic);
    esp_token_free(store->issued);
    json_decref(store->request);
    free(store);
}

/* A URL without a scheme is one of https: kubernetes.default, which the schema puts there,
 * and no token goes out in the clear because somebody left eight letters away. */
static void set_url(struct kube_store *store, esp_bytes server)
{
    if (!esp_starts_with(server, esp_str("https://")) && !esp_starts_with(server, esp_str("http://")))
        esp_text_adds(&store->url, "https://");
    esp_text_add(&store->url, server);
    while (store->url.len && store->url.ptr[store->url.len - 1] == '/')
        esp_text_cut(&store->url, store->url.len - 1);
}

/* A copy; an empty one is no copy. False without memory. */
static bool keep(esp_bytes *ret, esp_bytes value)
{
    if (value.len == 0)
        return true;
    *ret = esp_dup(value);
    return ret->ptr != NULL;
}

/* Files end with a line break, and tokens come out of files. */
static esp_bytes without_line_break(esp_bytes token)
{
    while (token.len && (token.ptr[token.len - 1] == '\n' || token.ptr[token.len - 1] == '\r'))
        token.len--;
    return token;
}

/* ---- auth ---- */

static esp_status read_secret(struct esp_call *call, const json_t *ref, const char *what, esp_bytes *ret)
{
    esp_bytes name = esp_tree_text(ref, "name"), key = esp_tree_text(ref, "key");

    if (name.len == 0 || key.len == 0)
        return esp_failf(kube_host, call, ESP_E_CONFIG, "%s.%s cannot be empty", what,
                         name.len == 0 ? "Name" : "Key");
    return kube_host->kube_read(call, ESP_KUBE_SECRET, esp_tree_text(ref, "namespace"), name, key, ret);
}

static esp_status use_token(struct kube_store *store, struct esp_call *call, const json_t *auth)
{
    esp_bytes token = {0};
    esp_status status = read_secret(call, json_object_get(auth, "bearerToken"), "BearerToken", &token);

    if (status == ESP_OK && !keep(&store->token, without_line_break(token)))
        status = kube_no_memory(call);
    return status;
}

static esp_status use_cert(struct kube_store *store, struct esp_call *call, const json_t *auth)
{
    esp_bytes cert = {0}, key = {0};
    esp_status status = read_secret(call, json_object_get(auth, "clientCert"), "ClientCert", &cert);

    if (status == ESP_OK)
        status = read_secret(call, json_object_get(auth, "clientKey"), "ClientKey", &key);
    if (status == ESP_OK && (!keep(&store->cert, cert) || !keep(&store->key, key)))
        status = kube_no_memory(call);
    return status;
}

/* The token is asked for here and now, so that an account that is not there shows in the
 * store and not in whoever uses it. */
static esp_status use_account(struct kube_store *store, struct esp_call *call, json_t *auth)
{
    store->account = auth;
    store->issued = esp_token_new();
    return store->issued ? kube_first_token(store, call) : kube_no_memory(call);
}

static esp_status use_auth(struct kube_store *store, struct esp_call *call, json_t *auth)
{
    json_t *token = json_object_get(auth, "token"), *cert = json_object_get(auth, "cert");
    json_t *account = json_object_get(auth, "serviceAccount");
    int set = json_is_object(token) + json_is_object(cert) + json_is_object(account);

    if (set > 1)
        return esp_failf(kube_host, call, ESP_E_CONFIG,
                         "multiple auth methods provided: set exactly one of Token, ServiceAccount, or Cert");
    if (token)
        return use_token(store, call, token);
    if (account)
        return use_account(store, call, account);
    if (cert)
        return use_cert(store, call, cert);
    return esp_failf(kube_host, call, ESP_E_CONFIG, "no auth provider given");
}

/* ---- authRef ---- */

static bool keep_basic(struct kube_store *store, const struct kube_config *config)
{
    struct esp_text pair, encoded;

    if (config->username.len == 0)
        return true;
    esp_text_init(&pair, KUBE_MAX_TOKEN);
    esp_text_init(&encoded, 2 * KUBE_MAX_TOKEN);
    esp_text_add(&pair, esp_text_bytes(&config->username));
    esp_text_addc(&pair, ':');
    esp_text_add(&pair, esp_text_bytes(&config->password));
    esp_base64_add(&encoded, esp_text_bytes(&pair));
    bool kept = !esp_text_failed(&pair) && !esp_text_failed(&encoded) &&
                keep(&store->basic, esp_text_bytes(&encoded));
    esp_text_free(&pair);
    esp_text_free(&encoded);
    return kept;
}

static bool keep_config(struct kube_store *store, const struct kube_config *config)
{
    store->insecure = config->insecure;
    set_url(store, esp_text_bytes(&config->server));
    return keep(&store->ca, esp_text_bytes(&config->ca)) &&
           keep(&store->server_name, esp_text_bytes(&config->server_name)) &&
           keep(&store->token, without_line_break(esp_text_bytes(&config->token))) &&
           keep(&store->cert, esp_text_bytes(&config->cert)) &&
           keep(&store->key, esp_text_bytes(&config->key)) && (store->token.len || keep_basic(store, config));
}

static esp_status use_config(struct kube_store *store, struct esp_call *call, const json_t *ref)
{
    struct kube_config config;
    struct esp_text why;
    esp_bytes text = {0};

    esp_status status = read_secret(call, ref, "AuthRef", &text);
    if (status != ESP_OK)
        return status;
    esp_text_init(&why, 900);
    if (!kube_config_read(&config, text, &why))
        status = esp_failf(kube_host, call, ESP_E_CONFIG, "authRef: %s", esp_text_str(&why));
    else if (!keep_config(store, &config))
        status = kube_no_memory(call);
    kube_config_free(&config);
    esp_text_free(&why);
    return status;
}

/* ---- the store ---- */

static esp_status use_server(struct kube_store *store, struct esp_call *call, const json_t *spec)
{
    esp_bytes url = esp_tree_text(json_object_get(spec, "server"), "url");

    if (url.len == 0)
        return esp_failf(kube_host, call, ESP_E_CONFIG, "no server URL provided");
    if (url.len > MAX_URL)
        return esp_failf(kube_host, call, ESP_E_CONFIG, "server.url is longer than %zu bytes", MAX_URL);
    set_url(store, url);
    /* The core has resolved caBundle and caProvider. */
    return keep(&store->ca, esp_tree_text(store->request, "caBundle")) ? ESP_OK : kube_no_memory(call);
}

static esp_status connect(struct kube_store *store, struct esp_call *call, const json_t *spec)
{
    json_t *auth = json_object_get(spec, "auth"), *ref = json_object_get(spec, "authRef");

    if (ref && auth)
        return esp_failf(kube_host, call, ESP_E_CONFIG, "authRef and inline auth cannot both be set");
    if (ref)
        return use_config(store, call, ref);
    if (!auth)
        return esp_failf(kube_host, call, ESP_E_CONFIG, "no auth provider given");
    esp_status status = use_server(store, call, spec);
    return status == ESP_OK ? use_auth(store, call, auth) : status;
}

esp_status kube_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    struct kube_store *store = calloc(1, sizeof *store);

    if (!store)
        return kube_no_memory(call);
    esp_text_init(&store->url, KUBE_MAX_KUBECONFIG);
    store->request = esp_tree_read(request->json);
    const json_t *spec = json_object_get(store->request, "spec");
    store->remote_namespace = esp_tree_text(spec, "remoteNamespace");
    if (store->remote_namespace.len == 0)
        store->remote_namespace = esp_str("default");
    store->cluster_wide =
        esp_equal_str(esp_tree_text(json_object_get(store->request, "store"), "kind"), "ClusterSecretStore");
    esp_status status = store->request ? connect(store, call, spec) : kube_no_memory(call);
    if (status == ESP_OK && esp_text_failed(&store->url))
        status = kube_no_memory(call);
    if (status == ESP_OK)
        *instance = store;
    else
        kube_close(store, call);
    return status;
}
