/* Too little memory: for one allocation, and for good. */
#include <string.h>
#include <sys/resource.h>

#include "core/check/check.h"
#include "core/check/heap.h"
#include "core/check/trial.h"
#include "core/check/tries.h"

#define MAX_FAILURES 200
#define QUICK_FAILURES 40

/* What a process of its own may use, see docs/isolation.md. */
#define LIMIT ((rlim_t)256 << 20)
#define HUGE_KEY ((size_t)8 << 20)

/* ---- one allocation fails ---- */

static void run_failing(struct es_trial *t, struct es_store *st, enum es_op op, size_t fail_at)
{
    struct es_buf doc;

    es_trial_document(&doc, st, op, NULL);
    es_trial_init(t, st, op);
    t->fail_at = fail_at;
    es_trial_run(t, (esp_bytes){(const uint8_t *)doc.ptr, doc.len});
    es_buf_fini(&doc);
}

/* An instance that was made is ended, under any circumstances. */
static void close_made(const struct es_trial *t)
{
    struct es_store other = *t->store;
    struct es_trial end;

    if (t->call.op != ES_OP_OPEN || t->status != ESP_OK || !other.ops->close)
        return;
    other.instance = t->instance;
    es_trial_story(&end, &other, ES_OP_CLOSE, NULL);
    es_trial_end(&end);
}

static void judge(const struct es_trial *t, const struct es_trial *good, size_t n)
{
    bool same = t->status == good->status;

    es_trial_judge(t, "when memory ran out");
    if (t->status == ESP_OK && good->status == ESP_OK && es_trial_print(t) != es_trial_print(good))
        es_check_fail(
            "%s of component %s reported success with another result when its allocation %zu failed",
            es_trial_op(t), es_trial_name(t), n);
    else if (t->status == ESP_E_NOT_FOUND && !same)
        es_check_fail(
            "%s of component %s returned ESP_E_NOT_FOUND when its allocation %zu failed: that may delete "
            "Secrets",
            es_trial_op(t), es_trial_name(t), n);
    else if (t->status != ESP_OK && t->status != ESP_E_INTERNAL && t->status != ESP_E_RETRY && !same)
        es_check_warn(
            "%s of component %s returned %s when its allocation %zu failed; ESP_E_INTERNAL says what it "
            "is, and is tried again",
            es_trial_op(t), es_trial_name(t), es_trial_status(t->status), n);
}

static void fail_each(struct es_store *st, enum es_op op)
{
    size_t max = st->subject->opts->quick ? QUICK_FAILURES : MAX_FAILURES;
    struct es_trial good, t;
    bool more = true;

    es_trial_story(&good, st, op, NULL);
    close_made(&good);
    for (size_t n = 1; n <= max && more; n++) {
        es_check_at("%s of component %s when its allocation %zu failed", es_op_name(op), st->provider->name,
                    n);
        run_failing(&t, st, op, n);
        more = t.allocations >= n;
        if (more)
            judge(&t, &good, n);
        close_made(&t);
        es_trial_end(&t);
    }
    es_trial_end(&good);
}

static void check_memory(struct es_store *st)
{
    fail_each(st, ES_OP_OPEN);
    es_trial_each(st, fail_each);
}

void es_try_memory(struct es_subject *s)
{
    if (!es_heap_watched()) {
        es_check_skip("this build has the allocator of a sanitizer, which cannot be made to fail");
        return;
    }
    es_subject_each_open(s, check_memory);
}

/* ---- there is little of it ---- */

static void judge_limited(const struct es_trial *t)
{
    es_trial_judge(t, "when memory is limited");
    if (t->refused_allocations)
        es_check_warn(
            "%s of component %s asked for more memory than the %llu MiB that a plugin's process has",
            es_trial_op(t), es_trial_name(t), (unsigned long long)(LIMIT >> 20));
}

static void run_limited(struct es_store *st, enum es_op op)
{
    struct es_trial t;

    es_check_at("%s of component %s when memory is limited", es_op_name(op), st->provider->name);
    es_trial_story(&t, st, op, NULL);
    judge_limited(&t);
    close_made(&t);
    es_trial_end(&t);
}

static void run_huge(struct es_store *st)
{
    static char key[HUGE_KEY + 1];
    struct es_trial t;

    memset(key, 'k', HUGE_KEY);
    es_check_at("get of component %s with a key of 8 MiB when memory is limited", st->provider->name);
    es_trial_story(&t, st, ES_OP_GET, key);
    judge_limited(&t);
    es_trial_end(&t);
}

static void check_limited(struct es_store *st)
{
    run_limited(st, ES_OP_OPEN);
    es_trial_each(st, run_limited);
    if (st->ops->get)
        run_huge(st);
}

void es_try_memory_limit(struct es_subject *s)
{
    struct rlimit limit;

    if (es_heap_is_sanitized()) {
        es_check_skip("sanitizers need more memory than the limit");
        return;
    }
    getrlimit(RLIMIT_DATA, &limit);
    limit.rlim_cur = LIMIT < limit.rlim_max ? LIMIT : limit.rlim_max;
    setrlimit(RLIMIT_DATA, &limit);
    es_subject_each_open(s, check_limited);
}
