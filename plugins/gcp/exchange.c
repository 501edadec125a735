/* Workload Identity Federation, each time a token is needed: the token of somebody else's is
 * fetched, and traded at the token service. */
#include <esp/codec.h>
#include <esp/json.h>

#include "aws.h"
#include "endpoints.h"
#include "proofs.h"

#define MAX_SUBJECT ((size_t)64 << 10)

/* ---- the token of somebody else's ---- */

/* What a file or a URL gave: the token itself, or a document with the token in it. */
static esp_status take(const struct gcp_identity *id, esp_bytes text, const char *from, struct gcp_got *got,
                       struct esp_text *subject)
{
    esp_bytes field = id->facts[GCP_SOURCE_FIELD];
    struct esp_text name;

    if (field.len == 0) {
        while (text.len && text.ptr[text.len - 1] <= ' ')
            text.len--;
        esp_text_add(subject, text);
    } else {
        /* A name, not a path: dots in it are dots. */
        esp_text_init(&name, GCP_MAX_SMALL);
        for (size_t i = 0; i < field.len; i++)
            esp_text_addf(&name, field.ptr[i] == '.' ? "\\%c" : "%c", field.ptr[i]);
        if (esp_json_check(text, NULL))
            esp_json_get(text, esp_text_bytes(&name), ESP_JSON_PATH, subject);
        esp_text_free(&name);
    }
    return subject->len
               ? ESP_OK
               : gcp_no_token(got, ESP_E_RETRY,
                              "unable to get credentials: the credential source (%s) gave no token", from);
}

static esp_status from_file(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got,
                            struct esp_text *subject)
{
    esp_bytes text = {0};
    esp_status status = gcp_host->ambient(call, ESP_AMBIENT_FILE, s->identity.facts[GCP_SOURCE_FILE], &text);
    return status == ESP_OK ? take(&s->identity, text, "file", got, subject) : status;
}

/* The headers of credential_source, a JSON object of strings, as far as there is room. */
static size_t read_headers(esp_bytes json, esp_pair *headers, struct esp_text *texts)
{
    struct esp_json_iter it;
    esp_bytes name, value;
    size_t count = 0;

    if (json.len == 0 || !esp_json_members(&it, json))
        return 0;
    while (count < GCP_MAX_HEADERS && esp_json_next(&it, &name, &value)) {
        esp_json_plain(name, &texts[2 * count]);
        esp_json_plain(value, &texts[2 * count + 1]);
        headers[count] = (esp_pair){esp_text_bytes(&texts[2 * count]), esp_text_bytes(&texts[2 * count + 1])};
        count++;
    }
    return count;
}

static esp_status ask_url(const struct gcp_store *s, struct esp_call *call, struct esp_http_response *answer)
{
    struct esp_text texts[2 * GCP_MAX_HEADERS];
    esp_pair headers[GCP_MAX_HEADERS];
    bool failed = false;

    for (size_t i = 0; i < 2 * GCP_MAX_HEADERS; i++)
        esp_text_init(&texts[i], GCP_MAX_SMALL);
    const struct gcp_http q = {.method = "GET",
                               .url = s->identity.facts[GCP_SOURCE_URL],
                               .api = "GetSubjectToken",
                               .more = headers,
                               .more_count =
                                   read_headers(s->identity.facts[GCP_SOURCE_HEADERS], headers, texts)};
    for (size_t i = 0; i < 2 * GCP_MAX_HEADERS; i++)
        failed = failed || esp_text_failed(&texts[i]);
    esp_status status = failed ? gcp_no_memory(call) : gcp_http(call, &q, answer);
    for (size_t i = 0; i < 2 * GCP_MAX_HEADERS; i++)
        esp_text_free(&texts[i]);
    return status;
}

static esp_status from_url(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got,
                           struct esp_text *subject)
{
    struct esp_http_response answer;

    esp_status status = ask_url(s, call, &answer);
    if (status != ESP_OK)
        return status;
    if (answer.status != 200)
        return gcp_no_token(got, answer.status >= 500 ? ESP_E_RETRY : ESP_E_DENIED,
                            "unable to get credentials: the credential source (url): status %d",
                            answer.status);
    return take(&s->identity, answer.body, "url", got, subject);
}

static esp_status from_cluster(struct esp_call *call, const json_t *ref, struct esp_text *subject)
{
    esp_bytes token = {0};
    esp_status status = gcp_cluster_ask(call, ref, esp_str(""), &token);
    if (status == ESP_OK)
        esp_text_add(subject, token);
    return status;
}

static esp_status get_subject(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got,
                              struct esp_text *subject)
{
    const struct gcp_identity *id = &s->identity;
    const json_t *block = json_object_get(json_object_get(s->spec, "auth"), "workloadIdentityFederation");

    if (id->facts[GCP_SOURCE_FILE].len)
        return from_file(s, call, got, subject);
    if (id->facts[GCP_SOURCE_URL].len)
        return from_url(s, call, got, subject);
    if (id->facts[GCP_AWS_ID].len)
        return gcp_aws_subject(id, call, got, subject);
    return from_cluster(call, json_object_get(block, "serviceAccountRef"), subject);
}

/* ---- the trade ---- */

static void write_form(const struct gcp_identity *id, esp_bytes subject, struct esp_text *form)
{
    gcp_form_add(form, "audience", id->facts[GCP_AUDIENCE]);
    gcp_form_add(form, "grant_type", esp_str("urn:ietf:params:oauth:grant-type:token-exchange"));
    gcp_form_add(form, "requested_token_type", esp_str("urn:ietf:params:oauth:token-type:access_token"));
    gcp_form_add(form, "subject_token_type", id->facts[GCP_SUBJECT_TYPE]);
    gcp_form_add(form, "subject_token", subject);
    gcp_form_add(form, "scope", esp_str(GCP_SCOPE));
}

/* "Basic ..." (RFC 6749, section 2.3.1), for a configuration with a client of its own. */
static void write_basic(const struct gcp_identity *id, struct esp_text *out)
{
    struct esp_text pair;

    esp_text_init(&pair, GCP_MAX_SMALL);
    esp_query_add(&pair, id->facts[GCP_CLIENT_ID]);
    esp_text_addc(&pair, ':');
    esp_query_add(&pair, id->facts[GCP_CLIENT_SECRET]);
    esp_text_adds(out, "Basic ");
    esp_base64_add(out, esp_text_bytes(&pair));
    esp_text_free(&pair);
}

static esp_status trade(const struct gcp_store *s, struct esp_call *call, esp_bytes subject,
                        struct gcp_got *got)
{
    const struct gcp_identity *id = &s->identity;
    esp_bytes own = id->facts[GCP_TOKEN_URL];
    struct esp_text url, form, basic;

    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_init(&form, 4 * MAX_SUBJECT);
    esp_text_init(&basic, GCP_MAX_SMALL);
    gcp_endpoint_rebase(GCP_STS, own.len ? own : esp_str("https://sts.googleapis.com/v1/token"), &url);
    write_form(id, subject, &form);
    write_basic(id, &basic);
    const esp_pair client = {esp_str("authorization"), esp_text_bytes(&basic)};
    const struct gcp_grant grant = {.what = "unable to get credentials: the token service",
                                    .api = "ExchangeToken",
                                    .url = &url,
                                    .type = GCP_FORM,
                                    .body = &form,
                                    .more = &client,
                                    .more_count = id->facts[GCP_CLIENT_ID].len ? 1 : 0};
    esp_status status = esp_text_failed(&basic) ? gcp_no_memory(call) : gcp_grant(call, &grant, got);
    esp_text_free(&url);
    esp_text_free(&form);
    esp_text_free(&basic);
    return status;
}

esp_status gcp_federation_token(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got)
{
    struct esp_text subject;

    esp_text_init(&subject, MAX_SUBJECT);
    esp_status status = get_subject(s, call, got, &subject);
    if (status == ESP_OK)
        status =
            esp_text_failed(&subject)
                ? gcp_no_token(got, ESP_E_CONFIG, "unable to get credentials: a token of more than %zu KiB",
                               MAX_SUBJECT >> 10)
                : trade(s, call, esp_text_bytes(&subject), got);
    esp_text_free(&subject);
    return status;
}
