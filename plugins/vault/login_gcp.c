/* Logins with an identity of Google Cloud: a token that Google vouches for, made for Vault's role. */
#include <stdio.h>

#include <esp/codec.h>
#include <esp/json.h>
#include <esp/jwt.h>

#include "login.h"

#define TOKEN_MAX (64u << 10)
#define URL_MAX 4096
#define LIFE_S 600
#define SUBJECT_S 900
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define EXCHANGE "https://securetoken.googleapis.com/v1/identitybindingtoken"
#define ACCOUNTS "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
#define ACCOUNT_ANNOTATION "iam.gke.io/gcp-service-account"

static esp_status no_answer(struct esp_call *call, const char *what)
{
    return esp_failf(vault_host, call, ESP_E_RETRY, "Google Cloud: %s: the answer is not what it should be",
                     what);
}

static esp_status google_refused(struct esp_call *call, const char *what, int32_t status)
{
    esp_status meaning = status == 429 || status >= 500 ? ESP_E_RETRY : ESP_E_DENIED;
    return esp_failf(vault_host, call, meaning, "Google Cloud refuses %s: status %d", what, (int)status);
}

/* ---- the metadata server of the machine ---- */

/* Appends what it has at a path. */
static esp_status metadata(struct esp_call *call, const char *path, struct esp_text *out)
{
    const esp_pair headers[] = {{esp_str("Metadata-Flavor"), esp_str("Google")}};
    struct esp_http_response answer = {.size = sizeof answer};
    esp_bytes host = {0};
    struct esp_text url;
    if (vault_host->ambient(call, ESP_AMBIENT_ENV, esp_str("GCE_METADATA_HOST"), &host) != ESP_OK ||
        host.len == 0)
        host = esp_str("metadata.google.internal");
    esp_text_init(&url, URL_MAX);
    esp_text_addf(&url, "http://%.*s/computeMetadata/v1/%s", ESP_ARG(host), path);
    const struct esp_http_request request = {.size = sizeof request,
                                             .method = esp_str("GET"),
                                             .url = esp_text_bytes(&url),
                                             .headers = headers,
                                             .header_count = 1,
                                             .api = esp_str("Metadata")};
    esp_status status =
        esp_text_failed(&url) ? vault_no_memory(call) : vault_host->http(call, &request, &answer);
    esp_text_free(&url);
    if (status == ESP_OK && answer.status != 200)
        return google_refused(call, "the metadata of this machine", answer.status);
    if (status == ESP_OK)
        esp_text_add(out, vault_trimmed(answer.body));
    return status;
}

/* The identity of the machine, or of the pod on GKE. */
static esp_status machine_token(struct esp_call *call, esp_bytes role, struct esp_text *token)
{
    struct esp_text path;
    esp_text_init(&path, URL_MAX);
    esp_text_adds(&path, "instance/service-accounts/default/identity?audience=http%3A%2F%2Fvault%2F");
    esp_query_add(&path, role);
    esp_text_adds(&path, "&format=full");
    esp_status status = metadata(call, esp_text_str(&path), token);
    esp_text_free(&path);
    return status;
}

/* ---- a service account's key ---- */

static void add_claims(struct esp_call *call, esp_bytes email, esp_bytes role, struct esp_text *claims)
{
    struct esp_text audience;
    esp_text_init(&audience, URL_MAX);
    esp_text_adds(&audience, "vault/");
    esp_text_add(&audience, role);
    esp_text_addc(claims, '{');
    vault_add_member(claims, "sub", email);
    vault_add_member(claims, "aud", esp_text_bytes(&audience));
    esp_text_addf(claims, ",\"exp\":%lld}", (long long)(vault_host->now_unix_ms(call) / 1000 + LIFE_S));
    esp_text_free(&audience);
}

static esp_status sign(struct esp_call *call, esp_bytes key, const struct esp_text *header,
                       const struct esp_text *claims, struct esp_text *token)
{
    if (esp_text_failed(header) || esp_text_failed(claims))
        return vault_no_memory(call);
    switch (esp_jwt_rs256(key, esp_text_bytes(header), esp_text_bytes(claims), token)) {
    case ESP_JWT_OK:
        return ESP_OK;
    case ESP_JWT_BAD_KEY:
        return esp_failf(vault_host, call, ESP_E_CONFIG,
                         "auth.gcp.secretRef: private_key of the key file is no RSA private key");
    default:
        return vault_no_memory(call);
    }
}

/* Signed by the key itself: Vault looks its public half up at Google. */
static esp_status token_of_key(struct esp_call *call, const json_t *ref, esp_bytes role,
                               struct esp_text *token)
{
    struct esp_text email, key, id, header, claims;
    esp_bytes file = {0};
    esp_status status = vault_secret(call, ref, "auth.gcp.secretRef.secretAccessKeySecretRef", NULL, &file);
    if (status != ESP_OK)
        return status;
    esp_text_init(&email, URL_MAX);
    esp_text_init(&key, TOKEN_MAX);
    esp_text_init(&id, URL_MAX);
    esp_text_init(&header, URL_MAX);
    esp_text_init(&claims, URL_MAX);
    int mail = esp_json_get(file, esp_str("client_email"), ESP_JSON_PATH, &email);
    int pem = esp_json_get(file, esp_str("private_key"), ESP_JSON_PATH, &key);
    int kid = esp_json_get(file, esp_str("private_key_id"), ESP_JSON_PATH, &id);
    if (mail < 0 || pem < 0 || kid < 0) {
        status = vault_no_memory(call);
    } else if (mail && pem && kid) {
        esp_text_addc(&header, '{');
        vault_add_member(&header, "alg", esp_str("RS256"));
        vault_add_member(&header, "kid", esp_text_bytes(&id));
        vault_add_member(&header, "typ", esp_str("JWT"));
        esp_text_addc(&header, '}');
        add_claims(call, esp_text_bytes(&email), role, &claims);
        status = sign(call, esp_text_bytes(&key), &header, &claims, token);
    } else {
        status =
            esp_failf(vault_host, call, ESP_E_CONFIG,
                      "auth.gcp.secretRef: no key file of a service account: client_email, private_key and "
                      "private_key_id belong to it");
    }
    esp_text_free(&email);
    esp_text_free(&key);
    esp_text_free(&id);
    esp_text_free(&header);
    esp_text_free(&claims);
    return status;
}

/* ---- workload identity of GKE ---- */

/* Posts JSON and appends the string at `member` of the answer. */
static esp_status post(struct esp_call *call, esp_bytes url, const struct esp_text *bearer,
                       const struct esp_text *body, const char *what, const char *member,
                       struct esp_text *out)
{
    struct esp_http_response answer = {.size = sizeof answer};
    struct esp_text authorization;
    esp_text_init(&authorization, TOKEN_MAX);
    esp_text_adds(&authorization, "Bearer ");
    if (bearer)
        esp_text_add(&authorization, esp_text_bytes(bearer));
    const esp_pair headers[] = {{esp_str("Content-Type"), esp_str("application/json")},
                                {esp_str("Authorization"), esp_text_bytes(&authorization)}};
    const struct esp_http_request request = {.size = sizeof request,
                                             .method = esp_str("POST"),
                                             .url = url,
                                             .body = esp_text_bytes(body),
                                             .headers = headers,
                                             .header_count = bearer ? 2 : 1,
                                             .api = esp_str(what)};
    esp_status status = esp_text_failed(&authorization) || esp_text_failed(body)
                            ? vault_no_memory(call)
                            : vault_host->http(call, &request, &answer);
    esp_text_free(&authorization);
    if (status != ESP_OK)
        return status;
    if (answer.status != 200)
        return google_refused(call, what, answer.status);
    return esp_json_get(answer.body, esp_str(member), ESP_JSON_PATH, out) == 1 && out->len
               ? ESP_OK
               : no_answer(call, what);
}

/* A call of the service account credentials API. */
static esp_status account_call(struct esp_call *call, esp_bytes email, const char *verb,
                               const struct esp_text *bearer, const struct esp_text *body, const char *member,
                               struct esp_text *out)
{
    struct esp_text url;
    esp_text_init(&url, URL_MAX);
    esp_text_adds(&url, ACCOUNTS);
    esp_percent_add(&url, email, "@");
    esp_text_addf(&url, ":%s", verb);
    esp_status status = post(call, esp_text_bytes(&url), bearer, body, verb, member, out);
    esp_text_free(&url);
    return status;
}

/* Where the cluster is: as it is written, or as the machine knows it. */
struct cluster {
    struct esp_text project, location, name;
};

static esp_status one_of(struct esp_call *call, esp_bytes written, const char *path, struct esp_text *out)
{
    esp_text_init(out, URL_MAX);
    esp_text_add(out, written);
    return written.len ? ESP_OK : metadata(call, path, out);
}

static esp_status find_cluster(struct esp_call *call, const json_t *gcp, const json_t *block,
                               struct cluster *ret)
{
    esp_bytes project = esp_tree_text(block, "clusterProjectID");
    *ret = (struct cluster){0};
    esp_status status = one_of(call, project.len ? project : esp_tree_text(gcp, "projectID"),
                               "project/project-id", &ret->project);
    if (status == ESP_OK)
        status = one_of(call, esp_tree_text(block, "clusterLocation"), "instance/attributes/cluster-location",
                        &ret->location);
    if (status == ESP_OK)
        status =
            one_of(call, esp_tree_text(block, "clusterName"), "instance/attributes/cluster-name", &ret->name);
    return status;
}

static void cluster_free(struct cluster *c)
{
    esp_text_free(&c->project);
    esp_text_free(&c->location);
    esp_text_free(&c->name);
}

static esp_status exchange(struct esp_call *call, const json_t *ref, const struct cluster *c,
                           struct esp_text *access)
{
    struct esp_text pool, provider, body;
    esp_bytes subject = {0};
    esp_text_init(&pool, URL_MAX);
    esp_text_init(&provider, URL_MAX);
    esp_text_init(&body, TOKEN_MAX);
    esp_text_addf(&pool, "%s.svc.id.goog", esp_text_str(&c->project));
    esp_text_addf(
        &provider,
        "identitynamespace:%s:https://container.googleapis.com/v1/projects/%s/locations/%s/clusters/%s",
        esp_text_str(&pool), esp_text_str(&c->project), esp_text_str(&c->location), esp_text_str(&c->name));
    esp_status status = vault_account_token(call, ref, esp_text_bytes(&pool), NULL, SUBJECT_S, &subject);
    if (status == ESP_OK) {
        esp_text_addc(&body, '{');
        vault_add_member(&body, "grant_type", esp_str("urn:ietf:params:oauth:grant-type:token-exchange"));
        vault_add_member(&body, "subject_token_type", esp_str("urn:ietf:params:oauth:token-type:jwt"));
        vault_add_member(&body, "requested_token_type",
                         esp_str("urn:ietf:params:oauth:token-type:access_token"));
        vault_add_member(&body, "subject_token", subject);
        vault_add_member(&body, "audience", esp_text_bytes(&provider));
        vault_add_member(&body, "scope", esp_str(SCOPE));
        esp_text_addc(&body, '}');
        status = post(call, esp_str(EXCHANGE), NULL, &body, "identitybindingtoken", "access_token", access);
    }
    esp_text_free(&pool);
    esp_text_free(&provider);
    esp_text_free(&body);
    return status;
}

/* Google's service account signs, in its own name. */
static esp_status sign_as(struct esp_call *call, esp_bytes email, esp_bytes role,
                          const struct esp_text *federated, struct esp_text *token)
{
    struct esp_text access, body, claims;
    esp_text_init(&access, TOKEN_MAX);
    esp_text_init(&body, TOKEN_MAX);
    esp_text_init(&claims, URL_MAX);
    esp_text_adds(&body, "{\"scope\":[\"" SCOPE "\"]}");
    esp_status status =
        account_call(call, email, "generateAccessToken", federated, &body, "accessToken", &access);
    if (status == ESP_OK) {
        add_claims(call, email, role, &claims);
        esp_text_cut(&body, 0);
        esp_text_addc(&body, '{');
        vault_add_member(&body, "payload", esp_text_bytes(&claims));
        esp_text_addc(&body, '}');
        status = account_call(call, email, "signJwt", &access, &body, "signedJwt", token);
    }
    esp_text_free(&access);
    esp_text_free(&body);
    esp_text_free(&claims);
    return status;
}

/* The account of Google Cloud that the Kubernetes service account stands for. */
static esp_status find_email(struct esp_call *call, const json_t *ref, struct esp_text *email)
{
    esp_bytes object = {0};
    esp_status status = vault_host->kube_read(call, ESP_KUBE_SERVICE_ACCOUNT, esp_tree_text(ref, "namespace"),
                                              esp_tree_text(ref, "name"), esp_str(""), &object);
    if (status != ESP_OK)
        return status;
    if (esp_json_get(object, esp_str("metadata.annotations.iam\\.gke\\.io/gcp-service-account"),
                     ESP_JSON_PATH, email) < 0)
        return vault_no_memory(call);
    return email->len ? ESP_OK
                      : esp_failf(vault_host, call, ESP_E_CONFIG,
                                  "the service account %.*s has no annotation " ACCOUNT_ANNOTATION
                                  ": it names the account that signs for Vault",
                                  ESP_ARG(esp_tree_text(ref, "name")));
}

static esp_status token_of_workload(struct esp_call *call, const json_t *gcp, esp_bytes role,
                                    struct esp_text *token)
{
    const json_t *block = json_object_get(gcp, "workloadIdentity"),
                 *ref = json_object_get(block, "serviceAccountRef");
    struct esp_text email, federated;
    struct cluster cluster = {0};
    esp_text_init(&email, URL_MAX);
    esp_text_init(&federated, TOKEN_MAX);
    esp_status status = find_email(call, ref, &email);
    if (status == ESP_OK)
        status = find_cluster(call, gcp, block, &cluster);
    if (status == ESP_OK)
        status = exchange(call, ref, &cluster, &federated);
    if (status == ESP_OK)
        status = sign_as(call, esp_text_bytes(&email), role, &federated, token);
    cluster_free(&cluster);
    esp_text_free(&email);
    esp_text_free(&federated);
    return status;
}

/* ---- the login ---- */

esp_status vault_gcp_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    const json_t *gcp = s->method_block, *key = json_object_get(gcp, "secretRef");
    const esp_bytes role = esp_tree_text(gcp, "role");
    struct esp_text token;
    esp_status status;
    esp_text_init(&token, TOKEN_MAX);
    if (json_is_object(key))
        status = token_of_key(call, json_object_get(key, "secretAccessKeySecretRef"), role, &token);
    else if (json_is_object(json_object_get(gcp, "workloadIdentity")))
        status = token_of_workload(call, gcp, role, &token);
    else
        status = machine_token(call, role, &token);
    if (status == ESP_OK) {
        vault_add_member(body, "role", role);
        vault_add_member(body, "jwt", esp_text_bytes(&token));
    }
    esp_text_free(&token);
    return status;
}
