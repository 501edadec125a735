/* What a plugin says, and what it makes of what others say. */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/trial.h"
#include "core/check/tries.h"
#include "core/check/watch.h"

/* Runs one operation under a script, on an instance that was opened under it, or, if
 * it cannot be, under one that answers. The caller ends the trial. */
static bool run_scripted(struct es_trial *t, struct es_store *st, enum es_op op,
                         const struct es_script *script)
{
    es_check_at("%s of component %s after %s", es_op_name(op), st->provider->name, script->name);
    st->script = script;
    es_trial_story(t, st, op, NULL);
    return t->http_calls > 0;
}

/* ---- emit, fail, and the rest of the services ---- */

static void judge_words(const struct es_trial *t)
{
    const struct esp_call *c = &t->call;
    bool says_enough = t->status == ESP_OK || t->status == ESP_E_NOT_FOUND || t->status == ESP_E_CANCELLED ||
                       t->status == ESP_E_UNSUPPORTED || t->status == ESP_E_UNDECIDED;
    bool about_secret = c->op >= ES_OP_GET;

    es_trial_judge(t, "");
    if (*t->denied)
        es_check_fail("%s of component %s asked for what is not its own: %s", es_trial_op(t),
                      es_trial_name(t), t->denied);
    if (!says_enough && !c->broken && !(c->failed && c->said.text[0]) && !c->service.code)
        es_check_warn("%s; call fail and say why", t->err.text);
    if (t->status == ESP_E_NOT_FOUND && !about_secret)
        es_check_warn(
            "%s of component %s returned ESP_E_NOT_FOUND, which is about a remote secret; the core reads "
            "it as ESP_E_CONFIG",
            es_trial_op(t), es_trial_name(t));
}

/* As when the core is full after `allowed` results. False: it does not stop, and would
 * not the next time. */
static bool refuse_emit(struct es_store *st, enum es_op op, size_t allowed)
{
    struct es_buf doc;
    struct es_trial t;

    es_check_at("%s of component %s when emit refuses result %zu", es_op_name(op), st->provider->name,
                allowed + 1);
    es_trial_document(&doc, st, op, NULL);
    es_trial_init(&t, st, op);
    t.emits_allowed = allowed;
    es_trial_run(&t, (esp_bytes){(const uint8_t *)doc.ptr, doc.len});
    if (t.emits > allowed && t.status == ESP_OK)
        es_check_fail("%s of component %s reported success although emit had refused a result",
                      es_trial_op(&t), es_trial_name(&t));
    if (t.emits_after_stop > 1)
        es_check_fail("%s of component %s went on after emit had refused a result, %u more times",
                      es_trial_op(&t), es_trial_name(&t), t.emits_after_stop - 1);
    bool stops = t.emits_after_stop <= 1;
    es_trial_end(&t);
    es_buf_fini(&doc);
    return stops;
}

static void check_words(struct es_store *st, const struct es_script *script)
{
    for (size_t i = 0; i < es_trial_op_count; i++) {
        enum es_op op = es_trial_ops[i];
        struct es_trial t;
        if (!es_trial_has(st, op))
            continue;
        run_scripted(&t, st, op, script);
        judge_words(&t);
        unsigned emits = t.emits;
        es_trial_end(&t);
        for (size_t n = 0; n < emits && n < 3; n++)
            if (!refuse_emit(st, op, n))
                break;
    }
}

static void check_emit(struct es_store *st)
{
    check_words(st, &es_script_refused);
    check_words(st, &es_script_plenty);
}

void es_try_emit(struct es_subject *s)
{
    es_subject_each_open(s, check_emit);
}

/* ---- secrets ---- */

/* Backends echo what they were sent, and answer with secrets where one expects none. */
static const struct es_script loud[] = {
    {.name = "a refused connection", .failure = ESP_E_RETRY, .why = "connection refused"},
    {.name = "a 200 answer that is no JSON", .status = 200, .body = "%BODY% {%SECRET% %TOKEN%"},
    {.name = "a 400 answer", .status = 400, .body = "{\"message\":\"bad %BODY% for %SECRET% %TOKEN%\"}"},
    {.name = "a 401 answer", .status = 401, .body = "{\"errors\":[\"%SECRET% %TOKEN% is unknown\"]}"},
    {.name = "a 403 answer", .status = 403, .body = "{\"error\":{\"message\":\"%BODY% %SECRET% %TOKEN%\"}}"},
    {.name = "a 404 answer", .status = 404, .body = "{\"errors\":[\"%BODY%\"]}"},
    {.name = "a 500 answer", .status = 500, .type = "text/plain", .body = "%BODY% %SECRET% %TOKEN%"},
};

static void listen(struct es_store *st, const struct es_script *script)
{
    struct es_trial t;

    for (size_t i = 0; i < es_trial_op_count; i++)
        if (es_trial_has(st, es_trial_ops[i])) {
            run_scripted(&t, st, es_trial_ops[i], script);
            es_trial_end(&t);
        }
}

/* Opened under each script, and on one store that was opened well. */
static void check_secrets(struct es_store *st)
{
    struct es_trial t;

    for (size_t i = 0; st->fits && i < sizeof loud / sizeof *loud; i++) {
        es_check_ran();
        run_scripted(&t, st, ES_OP_OPEN, &loud[i]);
        st->instance = t.instance;
        st->is_open = t.code == 0;
        es_trial_end(&t);
        if (st->is_open)
            listen(st, &loud[i]);
        es_store_close(st);
    }
    st->script = &es_script_plenty;
    if (!es_store_open(st))
        return;
    listen(st, &es_script_plenty);
    for (size_t i = 0; i < sizeof loud / sizeof *loud; i++)
        listen(st, &loud[i]);
}

void es_try_secrets(struct es_subject *s)
{
    es_watch_secrets(true);
    es_subject_each(s, check_secrets);
}

/* ---- answers of a backend ---- */

enum judgement { FAILS_RETRY, FAILS_DENIED, MAY_BE_ABSENT, NO_CRASH };

static const struct {
    struct es_script script;
    enum judgement judgement;
} answers[] = {
    {{.name = "a refused connection", .failure = ESP_E_RETRY, .why = "connection refused"}, FAILS_RETRY},
    {{.name = "a 401 answer", .status = 401, .body = "{\"errors\":[\"no\"]}"}, FAILS_DENIED},
    {{.name = "a 403 answer", .status = 403, .body = "{\"errors\":[\"no\"]}"}, FAILS_DENIED},
    {{.name = "a 404 answer", .status = 404, .body = "{\"errors\":[]}"}, MAY_BE_ABSENT},
    {{.name = "a 429 answer", .status = 429, .retry_after = "7", .body = "{}"}, FAILS_RETRY},
    {{.name = "a 500 answer", .status = 500, .body = "{\"errors\":[\"oops\"]}"}, FAILS_RETRY},
    {{.name = "a 503 answer", .status = 503, .type = "text/html", .body = "<html>later</html>"}, FAILS_RETRY},
    {{.name = "a 200 answer without a body", .status = 200, .body = ""}, NO_CRASH},
    {{.name = "a 200 answer that is no JSON", .status = 200, .body = "\x01{]garbage"}, NO_CRASH},
    {{.name = "a 200 answer that is cut off", .status = 200, .body = "{\"data\":{\"value\":\"x"}, NO_CRASH},
    {{.name = "a 200 answer of null", .status = 200, .body = "null"}, NO_CRASH},
    {{.name = "a 200 answer of []", .status = 200, .body = "[]"}, NO_CRASH},
    {{.name = "a 200 answer in HTML", .status = 200, .type = "text/html", .body = "<p>log in</p>"}, NO_CRASH},
    {{.name = "a 200 answer of 16 MiB", .status = 200, .fill = (size_t)16 << 20}, NO_CRASH},
};
#define ANSWERS (sizeof answers / sizeof *answers)

static void complain(const struct es_trial *t, const char *script, const char *why)
{
    es_check_fail("%s of component %s returned %s after %s: %s", es_trial_op(t), es_trial_name(t),
                  es_trial_status(t->status), script, why);
}

/* An operation that asked the backend, and this is all it got. validate may be undecided. */
static void judge_failure(const struct es_trial *t, const char *script, bool is_later)
{
    if (t->status == ESP_OK)
        complain(t, script, "the backend did nothing of what was asked");
    else if (t->status == ESP_E_NOT_FOUND)
        complain(t, script,
                 "nobody said that the secret does not exist, and ESP_E_NOT_FOUND may delete Secrets");
    else if (is_later && t->status != ESP_E_RETRY && t->status != ESP_E_UNDECIDED)
        es_check_warn("%s of component %s returned %s after %s; ESP_E_RETRY would try again by itself",
                      es_trial_op(t), es_trial_name(t), es_trial_status(t->status), script);
}

static void judge_answer(const struct es_trial *t, size_t i)
{
    const char *script = answers[i].script.name;
    bool reads = t->call.op == ES_OP_GET || t->call.op == ES_OP_GET_MAP;

    es_trial_judge(t, "");
    switch (answers[i].judgement) {
    case FAILS_RETRY:
        judge_failure(t, script, true);
        if (answers[i].script.retry_after && t->status == ESP_E_RETRY && t->err.retry_after_ms == 0)
            es_check_warn("%s of component %s does not hand on Retry-After; fail takes it in milliseconds",
                          es_trial_op(t), es_trial_name(t));
        break;
    case FAILS_DENIED:
        judge_failure(t, script, false);
        break;
    case MAY_BE_ABSENT:
        if (reads && t->status == ESP_OK)
            complain(t, script, "there is no value to return");
        break;
    case NO_CRASH:
        if (reads && t->status == ESP_E_NOT_FOUND)
            es_check_warn(
                "%s of component %s returned ESP_E_NOT_FOUND after %s; is that certain enough to delete "
                "Secrets?",
                es_trial_op(t), es_trial_name(t), script);
        break;
    }
}

static bool answer_all(struct es_store *st, size_t i)
{
    bool asked = false;

    for (size_t n = 0; n < es_trial_op_count; n++) {
        struct es_trial t;
        if (!es_trial_has(st, es_trial_ops[n]))
            continue;
        if (run_scripted(&t, st, es_trial_ops[n], &answers[i].script)) {
            judge_answer(&t, i);
            asked = true;
        }
        es_trial_end(&t);
    }
    return asked;
}

static bool answer_open(struct es_store *st, size_t i)
{
    struct es_trial t;

    bool asked = run_scripted(&t, st, ES_OP_OPEN, &answers[i].script);
    if (asked && answers[i].judgement != MAY_BE_ABSENT)
        judge_answer(&t, i);
    st->instance = t.instance;
    st->is_open = t.code == 0;
    es_trial_end(&t);
    if (st->is_open)
        asked = answer_all(st, i) || asked;
    es_store_close(st);
    return asked;
}

static void check_http(struct es_store *st)
{
    bool asked = false;

    for (size_t i = 0; st->fits && i < ANSWERS; i++)
        asked = answer_open(st, i) || asked;
    st->script = &es_script_plenty;
    if (!es_store_open(st))
        return;
    for (size_t i = 0; i < ANSWERS; i++)
        asked = answer_all(st, i) || asked;
    if (asked)
        es_check_ran();
    else
        es_check_skip("component %s never calls http", st->provider->name);
}

void es_try_http(struct es_subject *s)
{
    es_subject_each(s, check_http);
}
