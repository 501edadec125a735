/* What shows only in many rounds, or side by side. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/check/check.h"
#include "core/check/heap.h"
#include "core/check/residue.h"
#include "core/check/trial.h"
#include "core/check/tries.h"

/* ---- concurrency ---- */

#define READERS 8
#define OPENERS 2
#define ROUNDS 200
#define STACK ((size_t)1 << 20)

/* What all threads have in common: constant, except for `broken`. */
struct party {
    struct es_store *st;
    uint64_t get, list; /* what they come to when nobody else is there */
    bool compares_get, compares_list;
    bool is_shared; /* one instance for all readers */
    int rounds;
    bool broken; /* atomic: one sentence is enough */
};

static uint64_t print_of(struct es_store *st, enum es_op op)
{
    struct es_trial t;

    es_trial_story(&t, st, op, NULL);
    uint64_t print = es_trial_print(&t);
    es_trial_end(&t);
    return print;
}

/* Twice the same, or it cannot be compared. */
static bool is_steady(struct es_store *st, enum es_op op, uint64_t *ret)
{
    if (!es_trial_has(st, op))
        return false;
    *ret = print_of(st, op);
    return print_of(st, op) == *ret;
}

static void compare(struct party *p, struct es_store *st, enum es_op op, uint64_t expected, bool compares)
{
    if (!es_trial_has(st, op))
        return;
    uint64_t print = print_of(st, op);
    if (compares && print != expected && !__atomic_exchange_n(&p->broken, true, __ATOMIC_RELAXED))
        es_check_fail("%s of component %s gives another result when several threads %s", es_op_name(op),
                      st->provider->name, p->is_shared ? "share the instance" : "have an instance each");
}

static void read_rounds(struct party *p, struct es_store *st)
{
    for (int i = 0; i < p->rounds && !__atomic_load_n(&p->broken, __ATOMIC_RELAXED); i++) {
        compare(p, st, ES_OP_GET, p->get, p->compares_get);
        compare(p, st, ES_OP_LIST, p->list, p->compares_list);
    }
}

/* An instance of one's own. The place of a crash is what the main thread said. */
static bool open_own(struct es_store *own, const struct es_store *of)
{
    struct es_trial t;

    *own = *of;
    es_trial_story(&t, own, ES_OP_OPEN, NULL);
    own->instance = t.instance;
    bool good = t.code == 0;
    es_trial_end(&t);
    return good;
}

static void close_own(struct es_store *own)
{
    struct es_trial t;

    if (!own->ops->close)
        return;
    es_trial_story(&t, own, ES_OP_CLOSE, NULL);
    es_trial_end(&t);
}

static void *reader(void *arg)
{
    struct party *p = arg;
    struct es_store own = *p->st;

    if (p->is_shared) {
        read_rounds(p, &own);
    } else if (open_own(&own, p->st)) {
        read_rounds(p, &own);
        close_own(&own);
    }
    return NULL;
}

static void *opener(void *arg)
{
    struct party *p = arg;
    struct es_store own;

    for (int i = 0; i < p->rounds; i++)
        if (open_own(&own, p->st)) {
            print_of(&own, ES_OP_GET);
            close_own(&own);
        }
    return NULL;
}

static void run_party(struct party *p)
{
    pthread_t threads[READERS + OPENERS];
    pthread_attr_t attr;
    size_t started = 0;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (size_t i = 0; i < READERS + OPENERS; i++)
        if (pthread_create(&threads[started], &attr, i < READERS ? reader : opener, p) == 0)
            started++;
    pthread_attr_destroy(&attr);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started < READERS + OPENERS)
        es_check_skip("the system gives no threads to try it with");
}

static void check_concurrency(struct es_store *st)
{
    struct party p = {.st = st,
                      .is_shared = (st->provider->caps & ESP_CAP_CONCURRENT) != 0,
                      .rounds = st->subject->opts->quick ? ROUNDS / 10 : ROUNDS};

    if (!st->ops->get)
        return;
    p.compares_get = is_steady(st, ES_OP_GET, &p.get);
    p.compares_list = is_steady(st, ES_OP_LIST, &p.list);
    es_check_at("get and list of component %s on %d threads, while %d more open and close",
                st->provider->name, READERS, OPENERS);
    run_party(&p);
}

void es_try_concurrency(struct es_subject *s)
{
    es_subject_each_open(s, check_concurrency);
}

/* ---- leaks ---- */

/* What grows with the rounds when something is not given back. */
struct usage {
    size_t heap, resident, fds, threads;
};

/* Pages come and go; a leak is more than this in either half. */
#define RESIDENT_SLACK ((size_t)512 << 10)

static struct usage use_now(void)
{
    struct usage u = {es_heap_in_use(), 0, es_residue_fds(), es_residue_threads()};
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long all, resident;

    if (f && fscanf(f, "%lu %lu", &all, &resident) == 2)
        u.resident = resident * (size_t)sysconf(_SC_PAGESIZE);
    if (f)
        fclose(f);
    return u;
}

static void rounds(struct es_store *st, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct es_store own;
        if (i % 100 == 0)
            es_check_at("open, get and close of component %s, over and over", st->provider->name);
        if (!open_own(&own, st))
            continue;
        if (own.ops->get)
            print_of(&own, ES_OP_GET);
        close_own(&own);
    }
}

/* Before the rounds, between their halves, and after them. */
struct growth {
    struct usage start, middle, end;
    size_t half; /* rounds */
};

/* A cache grows once, a leak in both halves. */
static bool leaks(size_t start, size_t middle, size_t end, size_t least)
{
    return middle >= start + least && end >= middle + least;
}

/* The allocator keeps small pieces for later and counts them as used, so a few bytes are nothing. */
static bool leaks_heap(const struct growth *g)
{
    return leaks(g->start.heap, g->middle.heap, g->end.heap, 8 * g->half);
}

static bool leaks_pages(const struct growth *g)
{
    return !es_heap_is_sanitized() &&
           leaks(g->start.resident, g->middle.resident, g->end.resident, RESIDENT_SLACK);
}

static bool leaks_fds(const struct growth *g)
{
    return leaks(g->start.fds, g->middle.fds, g->end.fds, 1);
}

static bool leaks_threads(const struct growth *g)
{
    return leaks(g->start.threads, g->middle.threads, g->end.threads, 1);
}

static void judge_leaks(const char *name, const struct growth *g)
{
    size_t all = 2 * g->half;

    if (leaks_heap(g))
        es_check_fail("component %s leaks: %zu bytes in each round of open, get and close", name,
                      (g->end.heap - g->start.heap) / all);
    else if (leaks_pages(g))
        es_check_fail("component %s leaks memory that is not of the heap: %zu KiB in %zu rounds", name,
                      (g->end.resident - g->start.resident) >> 10, all);
    if (leaks_fds(g))
        es_check_fail("component %s leaks file descriptors: %zu in %zu rounds of open, get and close", name,
                      g->end.fds - g->start.fds, all);
    if (leaks_threads(g))
        es_check_fail("component %s leaks threads: %zu in %zu rounds of open, get and close", name,
                      g->end.threads - g->start.threads, all);
}

static struct growth grow(struct es_store *st)
{
    struct growth g = {.half = st->subject->rounds / 2};

    g.start = use_now();
    rounds(st, g.half);
    g.middle = use_now();
    rounds(st, g.half);
    g.end = use_now();
    return g;
}

/* A leak of memory is there again when one looks again; the others are exact. */
static void check_leaks(struct es_store *st)
{
    struct growth g;

    rounds(st, st->subject->rounds / 10);
    use_now();
    for (int i = 0; i < 3; i++) {
        g = grow(st);
        if (leaks_fds(&g) || leaks_threads(&g))
            break;
        if (!leaks_heap(&g) && !leaks_pages(&g))
            return;
    }
    judge_leaks(st->provider->name, &g);
}

void es_try_leaks(struct es_subject *s)
{
    es_subject_each_open(s, check_leaks);
}

/* ---- residue ---- */

static void leave_nothing(struct es_store *st, enum es_op op, struct es_residue *before)
{
    struct es_trial t;
    char who[120];

    snprintf(who, sizeof who, "%s of component %s", es_op_name(op), st->provider->name);
    es_check_at("%s", who);
    es_trial_story(&t, st, op, NULL);
    es_trial_end(&t);
    es_residue_compare(before, who);
}

static void check_residue(struct es_store *st)
{
    struct es_residue before;

    es_store_close(st);
    es_residue_take(&before);
    st->script = &es_script_plenty;
    leave_nothing(st, ES_OP_OPEN, &before);
    if (!es_store_open(st))
        return;
    es_residue_compare(&before, "open");
    for (size_t i = 0; i < es_trial_op_count; i++)
        if (es_trial_has(st, es_trial_ops[i]))
            leave_nothing(st, es_trial_ops[i], &before);
    es_store_close(st);
    es_residue_compare(&before, "close");
}

void es_try_residue(struct es_subject *s)
{
    es_subject_each_open(s, check_residue);
}
