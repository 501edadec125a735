#include "grant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <esp/codec.h>
#include <esp/json.h>

#define USUAL_LIFE_MS (INT64_C(5) * 60 * 1000)

esp_status gcp_no_token(struct gcp_got *got, esp_status status, const char *format, ...)
{
    char why[1001];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(why, sizeof why, format, args);
    va_end(args);
    esp_text_adds(got->why, len < 0 ? "" : why);
    return status;
}

void gcp_form_add(struct esp_text *form, const char *name, esp_bytes value)
{
    if (form->len)
        esp_text_addc(form, '&');
    esp_text_adds(form, name);
    esp_text_addc(form, '=');
    esp_query_add(form, value);
}

/* ".678" as 678. */
static int64_t fraction_ms(const char *at)
{
    int64_t ms = 0;

    if (*at != '.')
        return 0;
    at++;
    for (int unit = 100; unit && *at >= '0' && *at <= '9'; unit /= 10, at++)
        ms += (*at - '0') * unit;
    return ms;
}

int64_t gcp_time_ms(esp_bytes text)
{
    char copy[40];
    struct tm tm = {0};
    int end = 0;

    snprintf(copy, sizeof copy, "%.*s", ESP_ARG(text));
    if (sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &end) != 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return (int64_t)timegm(&tm) * 1000 + fraction_ms(copy + end);
}

/* When the token ends, as its answer says; -1 without memory. */
static int64_t ends_at(struct esp_call *call, const struct gcp_grant *g, esp_bytes body)
{
    int64_t now = gcp_host->now_unix_ms(call), at = -1;
    struct esp_text text;

    esp_text_init(&text, 64);
    int found =
        esp_json_get(body, esp_str(g->until_path ? g->until_path : "expires_in"), ESP_JSON_PATH, &text);
    if (g->until_path)
        at = gcp_time_ms(esp_text_bytes(&text));
    else if (text.len && strtoll(esp_text_str(&text), NULL, 10) > 0)
        at = now + strtoll(esp_text_str(&text), NULL, 10) * 1000;
    esp_text_free(&text);
    if (found < 0)
        return -1;
    return at > 0 ? at : now + USUAL_LIFE_MS;
}

static esp_status take(struct esp_call *call, const struct gcp_grant *g, esp_bytes body, struct gcp_got *got)
{
    const char *path = g->token_path ? g->token_path : "access_token";

    if (!esp_json_check(body, NULL) || esp_json_get(body, esp_str(path), ESP_JSON_PATH, got->token) != 1 ||
        got->token->len == 0)
        return gcp_no_token(got, ESP_E_RETRY, "%s: the answer holds no %s", g->what, path);
    *got->expires_unix_ms = ends_at(call, g, body);
    return *got->expires_unix_ms < 0 ? gcp_no_token(got, ESP_E_INTERNAL, "out of memory") : ESP_OK;
}

/* What is refused here is the credential: there is no remote secret yet that could be missing. */
static esp_status judge(struct esp_call *call, const struct gcp_grant *g,
                        const struct esp_http_response *answer, struct gcp_got *got)
{
    struct gcp_verdict v = gcp_judge(answer);

    if (v.status == ESP_OK)
        return take(call, g, answer->body, got);
    gcp_describe(&v, g->what, esp_str(""), got->why);
    return v.status == ESP_E_RETRY ? ESP_E_RETRY : ESP_E_DENIED;
}

esp_status gcp_grant(struct esp_call *call, const struct gcp_grant *g, struct gcp_got *got)
{
    struct esp_http_response answer;
    const struct gcp_http q = {.method = g->type ? "POST" : "GET",
                               .url = esp_text_bytes(g->url),
                               .api = g->api,
                               .bearer = g->bearer,
                               .type = g->type,
                               .body = g->body ? esp_text_bytes(g->body) : esp_str(""),
                               .more = g->more,
                               .more_count = g->more_count,
                               .timeout_ms = g->timeout_ms};

    if (esp_text_failed(g->url) || (g->body && esp_text_failed(g->body)))
        return gcp_no_token(got, ESP_E_INTERNAL, "out of memory");
    esp_status status = gcp_http(call, &q, &answer);
    return status == ESP_OK ? judge(call, g, &answer, got) : status;
}
