#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
const struct aws_api aws_sm_api = {"secretsmanager", "secretsmanager."};
const struct aws_api aws_ssm_api = {"ssm", "AmazonSSM."};
const struct aws_api aws_acm_api = {"acm", "CertificateManager."};
const struct aws_api aws_tagging_api = {"tagging", "ResourceGroupsTaggingAPI_20170126."};

void aws_request_begin(struct aws_request *r, const struct aws_api *api, const char *operation, esp_bytes key)
{
    *r = (struct aws_request){.ask = {.service = api->service, .operation = operation, .key = key}};
    snprintf(r->target, sizeof r->target, "%s%s", api->prefix, operation);
    r->ask.target = r->target;
    esp_text_init(&r->body, AWS_MAX_TEXT);
    esp_text_addc(&r->body, '{');
}

esp_status aws_request_send(struct aws_request *r, struct aws_store *store, struct esp_call *call)
{
    esp_text_addc(&r->body, '}');
    if (esp_text_failed(&r->body))
        return esp_failf(aws_host, call, ESP_E_INTERNAL,
                         "%s of %.*s: no memory for the request, or it is too large", r->ask.operation,
                         ESP_ARG(r->ask.key));
    r->ask.body = esp_text_bytes(&r->body);
    return aws_ask(store->session, call, &r->ask, &r->answer);
}

void aws_request_end(struct aws_request *r)
{
    esp_text_free(&r->body);
}

esp_status aws_request_done(struct aws_request *r, struct aws_store *store, struct esp_call *call)
{
    esp_status status = aws_request_send(r, store, call);
    if (status == ESP_OK && !aws_request_ok(r))
        status = aws_request_fail(r, call);
    aws_request_end(r);
    return status;
}

bool aws_request_ok(const struct aws_request *r)
{
    return r->answer.status == 200;
}

bool aws_request_is(const struct aws_request *r, const char *code)
{
    return aws_code_is(&r->answer, code);
}

bool aws_request_denied(const struct aws_request *r)
{
    return aws_request_is(r, "AccessDeniedException") || aws_request_is(r, "AccessDenied");
}

esp_status aws_request_fail(const struct aws_request *r, struct esp_call *call)
{
    return aws_fail(call, &r->ask, &r->answer);
}

void aws_request_judge(const struct aws_request *r, struct aws_verdict *verdict)
{
    struct aws_run run;
    aws_run_init(&run, NULL);
    verdict->status = aws_because_refused(&run, r->ask.operation, r->ask.key, &r->answer);
    snprintf(verdict->why, sizeof verdict->why, "%s", esp_text_str(&run.why));
    esp_text_free(&run.why);
}

json_t *aws_request_tree(const struct aws_request *r, struct esp_call *call)
{
    json_t *tree = esp_tree_read(r->answer.body);
    if (!tree)
        aws_no_memory(call);
    return tree;
}

/* ---- verdicts ---- */

void aws_judge(struct aws_verdict *verdict, esp_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    verdict->status = status;
    vsnprintf(verdict->why, sizeof verdict->why, format, args);
    va_end(args);
}

esp_status aws_tell(struct esp_call *call, const struct aws_verdict *verdict)
{
    if (verdict->status == ESP_OK || !*verdict->why)
        return verdict->status;
    return aws_host->fail(call, verdict->status, 0, esp_str(verdict->why));
}

/* What was found a moment ago and is gone now is not part of what a later search would find. */
static esp_status settle_found(struct esp_call *call, const struct aws_item *item,
                               const struct esp_text *value, const struct aws_verdict *verdict)
{
    if (verdict->status == ESP_OK)
        return aws_host->emit(call, ESP_OUT_VALUE, item->ref.key, esp_text_bytes(value));
    return verdict->status == ESP_E_NOT_FOUND ? ESP_OK : aws_tell(call, verdict);
}

esp_status aws_settle(struct esp_call *call, struct aws_item *item, const struct esp_text *value,
                      const struct aws_verdict *verdict)
{
    char index[24];

    item->done = true;
    if (item->is_found)
        return settle_found(call, item, value, verdict);
    snprintf(index, sizeof index, "%zu", item->index);
    if (verdict->status == ESP_OK)
        return aws_host->emit(call, ESP_OUT_VALUE, esp_str(index), esp_text_bytes(value));
    aws_host->fail_at(call, item->index, verdict->status,
                      esp_str(*verdict->why ? verdict->why : "Secret does not exist"));
    return ESP_OK;
}

bool aws_item_is(const struct aws_store *store, const struct aws_item *item, esp_bytes raw)
{
    struct esp_text id;

    aws_ref_id(store, &item->ref, &id);
    bool same = !esp_text_failed(&id) && aws_json_is(raw, esp_text_bytes(&id));
    esp_text_free(&id);
    return same;
}

static bool is_among(const struct aws_item *items, size_t count, const struct aws_item *item)
{
    for (size_t i = 0; i < count; i++)
        if (esp_equal(items[i].ref.key, item->ref.key))
            return true;
    return false;
}

void aws_request_add_ids(struct aws_request *r, const struct aws_store *store, const char *name,
                         const struct aws_item *items, size_t count)
{
    aws_json_raw(&r->body, name, esp_str("["));
    for (size_t i = 0; i < count; i++) {
        struct esp_text id;
        if (is_among(items, i, &items[i]))
            continue;
        aws_ref_id(store, &items[i].ref, &id);
        aws_json_item(&r->body, esp_text_bytes(&id));
        r->body.failed = r->body.failed || esp_text_failed(&id);
        esp_text_free(&id);
    }
    esp_text_addc(&r->body, ']');
}

/* ---- pages ---- */

void aws_pages_ask(const struct aws_pages *pages, struct aws_request *r, const char *name)
{
    if (pages->token.len)
        aws_json_text(&r->body, name, esp_text_bytes(&pages->token));
}

static void replace(struct esp_text *text, esp_bytes bytes)
{
    if (text->max == 0)
        esp_text_init(text, AWS_MAX_TEXT);
    esp_text_cut(text, 0);
    esp_text_add(text, bytes);
}

/* One token is remembered, and replaced after 1, 2, 4, ... pages: however long the circle is, some
 * remembered token comes again. */
static bool goes_in_circles(struct aws_pages *pages)
{
    esp_bytes token = esp_text_bytes(&pages->token);
    if (pages->seen && esp_equal(token, esp_text_bytes(&pages->mark)))
        return true;
    if (pages->seen++ == pages->next_mark) {
        replace(&pages->mark, token);
        pages->next_mark = pages->next_mark * 2 + 1;
    }
    return false;
}

esp_status aws_pages_turn(struct aws_pages *pages, struct esp_call *call, const struct aws_request *r,
                          const char *name, bool *more)
{
    esp_bytes raw = aws_json_member(r->answer.body, name);
    replace(&pages->token, esp_str(""));
    if (esp_json_kind(raw) == ESP_JSON_STRING)
        esp_json_plain(raw, &pages->token);
    *more = pages->token.len > 0;
    if (*more && goes_in_circles(pages))
        return esp_failf(aws_host, call, ESP_E_RETRY,
                         "%s: AWS answered with a page token that it gave before", r->ask.operation);
    if (esp_text_failed(&pages->token) || esp_text_failed(&pages->mark))
        return aws_no_memory(call);
    if (*more && aws_host->remaining_ms(call) <= 0)
        return ESP_E_CANCELLED;
    return ESP_OK;
}

void aws_pages_end(struct aws_pages *pages)
{
    esp_text_free(&pages->token);
    esp_text_free(&pages->mark);
}
