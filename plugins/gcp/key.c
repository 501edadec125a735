/* The key of a service account: it signs a statement of who it is, and gets a token for
 * that (RFC 7523). */
#include <inttypes.h>
#include <stdio.h>

#include <esp/json.h>
#include <esp/jwt.h>

#include "endpoints.h"
#include "grant.h"
#include "proofs.h"

#define BAD_KEY "failed to process the provided JSON credentials: "

/* ---- reading ---- */

bool gcp_facts_read(struct gcp_identity *id, esp_bytes json, const struct gcp_row *rows, size_t count)
{
    struct esp_text value;
    bool done = true;

    esp_text_init(&value, GCP_MAX_SMALL);
    for (size_t i = 0; i < count && done; i++) {
        esp_text_cut(&value, 0);
        int found = esp_json_get(json, esp_str(rows[i].path), ESP_JSON_PATH, &value);
        done = found == 0 || (found == 1 && gcp_identity_set(id, rows[i].fact, esp_text_bytes(&value)));
    }
    esp_text_free(&value);
    return done;
}

int gcp_json_is(esp_bytes json, const char *path, const char *value)
{
    struct esp_text found;

    esp_text_init(&found, GCP_MAX_SMALL);
    int is = esp_json_get(json, esp_str(path), ESP_JSON_PATH, &found);
    if (is == 1)
        is = esp_equal_str(esp_text_bytes(&found), value);
    esp_text_free(&found);
    return is;
}

/* The core takes what stands in the key out of texts, names of members as well: they are
 * described, not quoted. */
static esp_status check_key(struct esp_call *call, const char *where, struct gcp_identity *id)
{
    if (id->facts[GCP_EMAIL].len == 0)
        return gcp_fail(call, ESP_E_CONFIG, 0, BAD_KEY "%s names no service account", where);
    if (id->facts[GCP_KEY_PEM].len == 0)
        return gcp_fail(call, ESP_E_CONFIG, 0, BAD_KEY "%s holds no private key", where);
    if (id->facts[GCP_TOKEN_URL].len == 0 &&
        !gcp_identity_set(id, GCP_TOKEN_URL, esp_str("https://oauth2.googleapis.com/token")))
        return gcp_no_memory(call);
    if (!gcp_endpoint_is_token(id->facts[GCP_TOKEN_URL]))
        return gcp_fail(call, ESP_E_CONFIG, 0,
                        BAD_KEY "the token URI of %s is not Google's; whoever runs esod can allow it with "
                                "endpoints.token of the gcp plugin",
                        where);
    return ESP_OK;
}

esp_status gcp_key_read(struct esp_call *call, esp_bytes json, const char *where, struct gcp_identity *id)
{
    static const struct gcp_row rows[] = {
        {GCP_EMAIL, "client_email"},  {GCP_KEY_ID, "private_key_id"},          {GCP_KEY_PEM, "private_key"},
        {GCP_TOKEN_URL, "token_uri"}, {GCP_QUOTA_PROJECT, "quota_project_id"},
    };

    id->proof = GCP_BY_KEY;
    if (!esp_json_check(json, NULL))
        return gcp_fail(call, ESP_E_CONFIG, 0, BAD_KEY "%s is not JSON", where);
    if (gcp_json_is(json, "type", "service_account") != 1)
        return gcp_fail(call, ESP_E_CONFIG, 0, BAD_KEY "%s is not of type service_account", where);
    if (!gcp_facts_read(id, json, rows, sizeof rows / sizeof *rows))
        return gcp_no_memory(call);
    return check_key(call, where, id);
}

esp_status gcp_key_open(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    const json_t *ref = json_object_get(block, "secretAccessKeySecretRef");
    esp_bytes name = esp_tree_text(ref, "name"), key = esp_tree_text(ref, "key"), json = {0};
    char where[600];

    esp_status status =
        gcp_host->kube_read(call, ESP_KUBE_SECRET, esp_tree_text(ref, "namespace"), name, key, &json);
    if (status != ESP_OK)
        return status;
    snprintf(where, sizeof where, "key %.*s of Secret %.*s", ESP_ARG(key), ESP_ARG(name));
    return gcp_key_read(call, json, where, id);
}

/* ---- token ---- */

/* A clock that is a little ahead of Google's must not make the statement one from the future. */
#define BACKDATED_S 10
#define STATEMENT_LIFE_S 3600

static void write_statement(const struct gcp_identity *id, int64_t now_ms, struct esp_text *header,
                            struct esp_text *claims)
{
    int64_t from = now_ms / 1000 - BACKDATED_S;

    esp_text_adds(header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (id->facts[GCP_KEY_ID].len) {
        esp_text_adds(header, ",\"kid\":");
        esp_json_quote(id->facts[GCP_KEY_ID], header);
    }
    esp_text_addc(header, '}');
    esp_text_adds(claims, "{\"iss\":");
    esp_json_quote(id->facts[GCP_EMAIL], claims);
    esp_text_adds(claims, ",\"scope\":\"" GCP_SCOPE "\",\"aud\":");
    esp_json_quote(id->facts[GCP_TOKEN_URL], claims);
    esp_text_addf(claims, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", from, from + STATEMENT_LIFE_S);
}

/* Appends the signed statement. */
static esp_status sign(const struct gcp_store *s, struct esp_call *call, struct esp_text *jwt,
                       struct gcp_got *got)
{
    const struct gcp_identity *id = &s->identity;
    enum esp_jwt_result result = ESP_JWT_FAILED;
    struct esp_text header, claims;

    esp_text_init(&header, GCP_MAX_SMALL);
    esp_text_init(&claims, GCP_MAX_SMALL);
    write_statement(id, gcp_host->now_unix_ms(call), &header, &claims);
    if (!esp_text_failed(&header) && !esp_text_failed(&claims))
        result = esp_jwt_rs256(id->facts[GCP_KEY_PEM], esp_text_bytes(&header), esp_text_bytes(&claims), jwt);
    esp_text_free(&header);
    esp_text_free(&claims);
    if (result == ESP_JWT_BAD_KEY)
        return gcp_no_token(got, ESP_E_CONFIG,
                            BAD_KEY "the private key of the service account is no RSA key in PEM");
    return result == ESP_JWT_OK ? ESP_OK : gcp_no_token(got, ESP_E_INTERNAL, "out of memory");
}

esp_status gcp_key_token(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got)
{
    struct esp_text url, jwt, form;
    esp_bytes elsewhere = gcp_endpoint_set(GCP_TOKEN);
    const struct gcp_grant grant = {.what = "unable to get credentials: the token endpoint",
                                    .api = "GetToken",
                                    .url = &url,
                                    .type = GCP_FORM,
                                    .body = &form};

    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_init(&jwt, GCP_MAX_SMALL);
    esp_text_init(&form, GCP_MAX_SMALL);
    esp_text_add(&url, elsewhere.len ? elsewhere : s->identity.facts[GCP_TOKEN_URL]);
    esp_status status = sign(s, call, &jwt, got);
    if (status == ESP_OK) {
        gcp_form_add(&form, "grant_type", esp_str("urn:ietf:params:oauth:grant-type:jwt-bearer"));
        gcp_form_add(&form, "assertion", esp_text_bytes(&jwt));
        status = gcp_grant(call, &grant, got);
    }
    esp_text_free(&url);
    esp_text_free(&jwt);
    esp_text_free(&form);
    return status;
}
