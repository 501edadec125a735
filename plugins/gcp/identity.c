#include "identity.h"

#include <esp/codec.h>

#include "endpoints.h"
#include "gcp.h"
#include "grant.h"
#include "proofs.h"

bool gcp_identity_set(struct gcp_identity *id, enum gcp_fact fact, esp_bytes value)
{
    esp_dup_free(id->facts[fact]);
    id->facts[fact] = esp_dup(value);
    return id->facts[fact].ptr != NULL;
}

void gcp_identity_free(struct gcp_identity *id)
{
    for (int i = 0; i < GCP_FACTS; i++)
        esp_dup_free(id->facts[i]);
    *id = (struct gcp_identity){0};
}

/* The email may be an annotation, that is, anything: it stays one segment of the path. */
bool gcp_identity_impersonate(struct gcp_identity *id, esp_bytes email)
{
    struct esp_text url;

    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_adds(&url, "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/");
    esp_percent_add(&url, email, "@");
    esp_text_adds(&url, ":generateAccessToken");
    bool done = !esp_text_failed(&url) && gcp_identity_set(id, GCP_IMPERSONATE_URL, esp_text_bytes(&url));
    esp_text_free(&url);
    return done;
}

/* ---- which one ---- */

static const struct {
    const char *member; /* of auth; the first that is there counts */
    gcp_open_proof *open;
} ways[] = {
    {"secretRef", gcp_key_open},
    {"workloadIdentity", gcp_cluster_open},
    {"workloadIdentityFederation", gcp_federation_open},
};

esp_status gcp_identity_open(struct esp_call *call, struct gcp_store *store)
{
    const json_t *auth = json_object_get(store->spec, "auth");

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const json_t *block = json_object_get(auth, ways[i].member);
        if (json_is_object(block))
            return ways[i].open(call, block, &store->identity);
    }
    return gcp_default_open(call, NULL, &store->identity);
}

/* ---- tokens ---- */

static esp_status prove(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got)
{
    static gcp_get_token *const by[] = {
        [GCP_BY_KEY] = gcp_key_token,           [GCP_BY_REFRESH] = gcp_refresh_token,
        [GCP_BY_CLUSTER] = gcp_cluster_token,   [GCP_BY_FEDERATION] = gcp_federation_token,
        [GCP_BY_INSTANCE] = gcp_instance_token,
    };
    return by[s->identity.proof](s, call, got);
}

static esp_status impersonate(const struct gcp_store *s, struct esp_call *call, esp_bytes proven,
                              struct gcp_got *got)
{
    esp_bytes lifetime = s->identity.facts[GCP_LIFETIME];
    struct esp_text url, body;

    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_init(&body, GCP_MAX_SMALL);
    gcp_endpoint_rebase(GCP_IAMCREDENTIALS, s->identity.facts[GCP_IMPERSONATE_URL], &url);
    esp_text_addf(&body, "{\"lifetime\":\"%.*ss\",\"scope\":[\"" GCP_SCOPE "\"]}",
                  ESP_ARG(lifetime.len ? lifetime : esp_str("3600")));
    const struct gcp_grant grant = {.what = "unable to generate gcp access token: generateAccessToken",
                                    .api = "GenerateAccessToken",
                                    .url = &url,
                                    .bearer = proven,
                                    .type = GCP_JSON,
                                    .body = &body,
                                    .token_path = "accessToken",
                                    .until_path = "expireTime"};
    esp_status status = gcp_grant(call, &grant, got);
    esp_text_free(&url);
    esp_text_free(&body);
    return status;
}

esp_status gcp_login(void *ctx, struct esp_call *call, struct esp_text *token, int64_t *expires_unix_ms,
                     struct esp_text *why)
{
    const struct gcp_store *s = ctx;
    struct gcp_got got = {token, expires_unix_ms, why};
    struct esp_text proven;

    if (s->identity.facts[GCP_IMPERSONATE_URL].len == 0)
        return prove(s, call, &got);
    esp_text_init(&proven, GCP_MAX_SMALL);
    got.token = &proven;
    esp_status status = prove(s, call, &got);
    got.token = token;
    if (status == ESP_OK)
        status = impersonate(s, call, esp_text_bytes(&proven), &got);
    esp_text_free(&proven);
    return status;
}
