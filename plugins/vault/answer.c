#include "answer.h"

#include <string.h>

#include <esp/json.h>

#include "fields.h"

#define SENTENCE_MAX 1000

bool vault_is_good(const struct vault_answer *a)
{
    return a->status == 200 || a->status == 204;
}

static bool says(const struct vault_answer *a, const char *phrase)
{
    return a->body.len && memmem(a->body.ptr, a->body.len, phrase, strlen(phrase)) != NULL;
}

static bool is_empty_array(esp_bytes json)
{
    struct esp_json_iter elements;
    esp_bytes first;
    return esp_json_kind(json) == ESP_JSON_ARRAY && esp_json_elements(&elements, json) &&
           !esp_json_element(&elements, &first);
}

/* Vault answers {"errors":[]} for a secret that was never made, and, on v2, with the metadata of a
 * version that is deleted and data that is null. */
bool vault_is_absent(const struct vault_answer *a)
{
    esp_bytes errors, data, fields, metadata;
    if (a->status != 404)
        return false;
    if (vault_fields_find(a->body, "data", &data) && vault_fields_find(data, "data", &fields) &&
        vault_fields_find(data, "metadata", &metadata))
        return esp_json_kind(fields) == ESP_JSON_NULL && esp_json_kind(metadata) == ESP_JSON_OBJECT;
    return vault_fields_find(a->body, "errors", &errors) && is_empty_array(errors);
}

bool vault_names_token(const struct vault_answer *a)
{
    return a->status == 403 && (says(a, "invalid token") || says(a, "bad token"));
}

/* What Vault says, in words of ours: the first that is found. */
static const struct {
    const char *phrase, *words;
} hints[] = {
    {"no handler for route", "no secrets engine or login method is mounted there"},
    {"unsupported path", "no secrets engine or login method is mounted there"},
    {"Invalid path for a versioned K/V", "the engine is KV v2: set version: v2"},
    {"Vault is sealed", "Vault is sealed"},
    {"check-and-set parameter required", "the engine demands check-and-set: set checkAndSet.required"},
    {"check-and-set parameter did not match", "somebody else has written the secret meanwhile"},
    {"missing client token", "no token was sent: set auth"},
    {"invalid token", "the token is invalid or has expired"},
    {"bad token", "the token is invalid or has expired"},
    {"invalid role or secret ID", "the role ID or the secret ID is wrong"},
    {"invalid role ID", "the role ID is wrong"},
    {"invalid secret id", "the secret ID is wrong"},
    {"invalid username or password", "the user name or the password is wrong"},
    {"invalid credentials", "the user name or the password is wrong"},
    {"ldap operation failed", "the user name or the password is wrong, or the directory does not answer"},
    {"service account name not authorized", "the role is not for this service account"},
    {"namespace not authorized", "the role is not for this namespace"},
    {"invalid audience", "the role wants another audience"},
    {"invalid role name", "there is no such role"},
    {"could not be found", "there is no such role"},
    {"token is expired", "the token that was sent has expired"},
    {"error validating token", "the token that was sent is not trusted"},
    {"error verifying token", "the token that was sent is not trusted"},
    {"invalid certificate or no client certificate supplied", "the certificate is not trusted"},
    {"failed to match all constraints", "the certificate is not trusted by any role"},
    {"client certificate must be supplied", "no client certificate was sent"},
    {"permission denied", "permission denied"},
};

static const char *hint_for(const struct vault_answer *a)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (says(a, hints[i].phrase))
            return hints[i].words;
    if (a->status / 100 == 3)
        return "a redirect, which is not followed: let server be the address of the active node";
    if (a->status == 412)
        return "the node has not caught up yet";
    if (a->status == 429)
        return "too many requests";
    if (a->status == 472 || a->status == 473)
        return "the node is a standby";
    if (!esp_json_check(a->body, NULL))
        return "the answer is not Vault's: it is no JSON";
    return NULL;
}

static esp_status meaning(const struct vault_answer *a)
{
    switch (a->status) {
    case 401:
    case 403:
        return ESP_E_DENIED;
    case 412: /* not there yet */
    case 429:
    case 472: /* standbys */
    case 473:
        return ESP_E_RETRY;
    case 400:
        return says(a, "check-and-set parameter did not match") ? ESP_E_RETRY : ESP_E_CONFIG;
    default:
        return a->status / 100 == 4 ? ESP_E_CONFIG : ESP_E_RETRY;
    }
}

bool vault_says_denied(const struct vault_answer *a)
{
    const char *hint = a->status == 403 ? hint_for(a) : NULL;
    return hint && strcmp(hint, "permission denied") == 0;
}

esp_status vault_explain(const struct vault_answer *a, const char *what, esp_bytes subject,
                         struct esp_text *sentence)
{
    const char *hint = hint_for(a);
    esp_text_adds(sentence, what);
    if (subject.len)
        esp_text_addf(sentence, " \"%.*s\"", (int)(subject.len < 500 ? subject.len : 500),
                      (const char *)subject.ptr);
    esp_text_addf(sentence, ": status %d%s%s", (int)a->status, hint ? ": " : "", hint ? hint : "");
    return meaning(a);
}

esp_status vault_refused(struct esp_call *call, const struct vault_answer *a, const char *what,
                         esp_bytes subject)
{
    struct esp_text sentence;
    esp_text_init(&sentence, SENTENCE_MAX);
    esp_status status = vault_explain(a, what, subject, &sentence);
    vault_host->fail(call, status, status == ESP_E_RETRY ? a->retry_after_ms : 0, esp_text_bytes(&sentence));
    esp_text_free(&sentence);
    return status;
}
