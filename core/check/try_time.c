/* Deadlines and cancellation: does it come back? */
#include "core/base/clock.h"
#include "core/check/check.h"
#include "core/check/trial.h"
#include "core/check/tries.h"

#define PROMPT_MS 1000

static void judge(const struct es_trial *t, const char *when)
{
    if (t->took_ms > PROMPT_MS)
        es_check_fail("%s of component %s took %lld ms %s; it has to stop at once", es_trial_op(t),
                      es_trial_name(t), (long long)t->took_ms, when);
    if (t->told_to_stop && (t->status == ESP_OK || t->status == ESP_E_NOT_FOUND))
        es_check_fail("%s of component %s returned %s although a service said ESP_E_CANCELLED",
                      es_trial_op(t), es_trial_name(t), es_trial_status(t->status));
}

/* Runs one operation on the store as it stands. open: and closes what it made. */
static void run_one(struct es_store *st, enum es_op op, const char *when)
{
    struct es_trial t;

    es_check_at("%s of component %s %s", es_op_name(op), st->provider->name, when);
    es_trial_story(&t, st, op, NULL);
    judge(&t, when);
    if (op == ES_OP_OPEN && t.code == 0 && st->ops->close) {
        struct es_store other = *st;
        struct es_trial end;
        other.instance = t.instance;
        es_trial_story(&end, &other, ES_OP_CLOSE, NULL);
        es_trial_end(&end);
    }
    es_trial_end(&t);
}

/* ---- the time is over from the start ---- */

static void all_late(struct es_store *st, int64_t deadline_ms, bool cancelled, const char *when)
{
    for (size_t i = 0; i < es_trial_op_count; i++)
        if (es_trial_has(st, es_trial_ops[i])) {
            st->who.deadline_ms = deadline_ms;
            st->cancelled = cancelled;
            run_one(st, es_trial_ops[i], when);
        }
    run_one(st, ES_OP_OPEN, when);
    st->who.deadline_ms = 0;
    st->cancelled = false;
}

static void check_deadline(struct es_store *st)
{
    all_late(st, es_mono_ms() - 1000, false, "with a deadline that has passed");
    all_late(st, 0, true, "with a call that is cancelled already");
}

void es_try_deadline(struct es_subject *s)
{
    es_subject_each_open(s, check_deadline);
}

/* ---- it ends while a service waits ---- */

static const struct es_script cancelled = {.name = "a call that is cancelled meanwhile", .cancels = true};

static void cancel_one(struct es_store *st, enum es_op op)
{
    st->script = &cancelled;
    st->cancelled = false;
    run_one(st, op, "with a call that is cancelled while a service waits");
    st->cancelled = false;
}

static void check_cancel(struct es_store *st)
{
    es_check_ran();
    if (st->fits)
        cancel_one(st, ES_OP_OPEN);
    st->script = &es_script_plenty;
    if (!es_store_open(st))
        return;
    es_trial_each(st, cancel_one);
    st->script = &es_script_refused;
}

void es_try_cancel(struct es_subject *s)
{
    es_subject_each(s, check_cancel);
}
