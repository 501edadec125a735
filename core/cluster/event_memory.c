#include "core/cluster/event_memory.h"

#include <stdlib.h>
#include <string.h>

#define BURST 25.0f /* of one source about one object */
#define REFILL_PER_MS (1.0f / (5 * 60 * 1000))
#define SINGLES 9 /* of events that are alike */
#define LEAST_SLOTS 64

enum kind { KIND_FREE, KIND_ABOUT, KIND_ALIKE, KIND_OBJECT };

struct es_event_record {
    uint64_t key;
    uint32_t last_s; /* when it was used; monotonic */
    uint8_t kind;
    uint8_t messages; /* ALIKE: of seen[] */
    uint16_t serial;  /* OBJECT */
    union {
        float tokens;           /* ABOUT */
        uint16_t seen[SINGLES]; /* ALIKE: hashes of the messages that are events of their own */
        struct {
            int64_t named_unix_ms;
            uint32_t count;
        } object;
    } u;
};

static uint32_t seconds(int64_t now_ms)
{
    return (uint32_t)(now_ms / 1000);
}

static bool is_over(const struct es_event_record *r, int64_t now_ms)
{
    return seconds(now_ms) - r->last_s > ES_EVENT_MEMORY_MS / 1000;
}

void es_event_memory_init(struct es_event_memory *m, size_t slots)
{
    *m = (struct es_event_memory){.most = slots};
}

void es_event_memory_fini(struct es_event_memory *m)
{
    free(m->records);
    es_event_memory_init(m, m->most);
}

/* ---- the table ---- */

static struct es_event_record *slot_of(const struct es_event_memory *m, uint64_t key, enum kind kind)
{
    for (size_t i = key & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct es_event_record *r = &m->records[i];
        if (r->kind == KIND_FREE || (r->kind == kind && r->key == key))
            return r;
    }
}

static struct es_event_record *find(const struct es_event_memory *m, uint64_t key, enum kind kind)
{
    struct es_event_record *r = m->cap ? slot_of(m, key, kind) : NULL;
    return r && r->kind != KIND_FREE ? r : NULL;
}

/* Moves what `stays` to a table of `cap` slots; 0 frees it. */
static void move(struct es_event_memory *m, size_t cap,
                 bool (*stays)(const struct es_event_record *, int64_t), int64_t than)
{
    struct es_event_memory to = {.cap = cap, .most = m->most};

    to.records = cap ? calloc(cap, sizeof *to.records) : NULL;
    if (cap && !to.records)
        return;
    for (size_t i = 0; i < m->cap; i++) {
        const struct es_event_record *r = &m->records[i];
        if (r->kind == KIND_FREE || !stays(r, than))
            continue;
        *slot_of(&to, r->key, (enum kind)r->kind) = *r;
        to.count++;
    }
    free(m->records);
    *m = to;
}

static bool all_stay(const struct es_event_record *r, int64_t than)
{
    (void)r;
    (void)than;
    return true;
}

static bool stays_fresh(const struct es_event_record *r, int64_t now_ms)
{
    return !is_over(r, now_ms);
}

/* A budget that is hardly touched says little. */
static bool stays_needed(const struct es_event_record *r, int64_t now_ms)
{
    return !is_over(r, now_ms) && !(r->kind == KIND_ABOUT && r->u.tokens >= BURST - 5);
}

static bool stays_young(const struct es_event_record *r, int64_t than_s)
{
    return (int32_t)(r->last_s - (uint32_t)than_s) > 0;
}

static bool is_full(const struct es_event_memory *m)
{
    return m->count + 1 > m->cap / 4 * 3;
}

/* The middle of what there is, by age. */
static uint32_t middle_age(const struct es_event_memory *m, int64_t now_ms)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < m->cap; i++)
        if (m->records[i].kind != KIND_FREE)
            sum += seconds(now_ms) - m->records[i].last_s;
    return seconds(now_ms) - (uint32_t)(m->count ? sum / m->count : 0);
}

static void make_room(struct es_event_memory *m, int64_t now_ms)
{
    size_t cap = m->cap ? m->cap * 2 : LEAST_SLOTS;

    if (cap <= m->most) {
        move(m, cap, all_stay, 0);
        return;
    }
    move(m, m->cap, stays_needed, now_ms);
    if (m->count > m->cap / 4 * 3 - m->cap / 16)
        move(m, m->cap, stays_young, middle_age(m, now_ms));
}

/* NULL without memory. */
static struct es_event_record *find_or_add(struct es_event_memory *m, uint64_t key, enum kind kind,
                                           int64_t now_ms)
{
    struct es_event_record *r = find(m, key, kind);

    if (!r) {
        if (is_full(m))
            make_room(m, now_ms);
        if (is_full(m))
            return NULL;
        r = slot_of(m, key, kind);
        *r = (struct es_event_record){.key = key, .kind = (uint8_t)kind, .last_s = seconds(now_ms)};
        if (kind == KIND_ABOUT)
            r->u.tokens = BURST;
        m->count++;
    } else if (is_over(r, now_ms) && kind == KIND_ALIKE) {
        r->messages = 0;
    }
    return r;
}

void es_event_memory_sweep(struct es_event_memory *m, int64_t now_ms)
{
    size_t fresh = 0, cap = LEAST_SLOTS;

    for (size_t i = 0; i < m->cap; i++)
        fresh += m->records[i].kind != KIND_FREE && !is_over(&m->records[i], now_ms);
    while (fresh + 1 > cap / 4 * 3)
        cap *= 2;
    if (fresh < m->count || cap < m->cap)
        move(m, fresh ? cap : 0, stays_fresh, now_ms);
}

/* ---- judging ---- */

/* EventSourceObjectSpamFilter: a token bucket a source and object. */
static bool is_flood(struct es_event_memory *m, uint64_t about, int64_t now_ms)
{
    struct es_event_record *r = find_or_add(m, about, KIND_ABOUT, now_ms);

    if (!r)
        return false;
    r->u.tokens += (float)(seconds(now_ms) - r->last_s) * 1000 * REFILL_PER_MS;
    if (r->u.tokens > BURST)
        r->u.tokens = BURST;
    r->last_s = seconds(now_ms);
    if (r->u.tokens < 1)
        return true;
    r->u.tokens -= 1;
    return false;
}

/* EventAggregator: with the tenth message it is one of many. */
static bool is_one_of_many(struct es_event_memory *m, const struct es_event_key *key, int64_t now_ms)
{
    struct es_event_record *r = find_or_add(m, key->alike, KIND_ALIKE, now_ms);
    uint16_t hash = (uint16_t)(key->message >> 48);

    if (!r)
        return false;
    r->last_s = seconds(now_ms);
    for (size_t i = 0; i < r->messages; i++)
        if (r->u.seen[i] == hash)
            return false;
    if (r->messages == SINGLES)
        return true;
    r->u.seen[r->messages++] = hash;
    return false;
}

enum es_event_fate es_event_judge(struct es_event_memory *m, const struct es_event_key *key, int64_t now_ms)
{
    if (is_flood(m, key->about, now_ms))
        return ES_EVENT_FLOOD;
    return is_one_of_many(m, key, now_ms) ? ES_EVENT_COMBINED : ES_EVENT_SINGLE;
}

/* ---- Event objects ---- */

static uint64_t object_key(const struct es_event_key *key, enum es_event_fate fate)
{
    return fate == ES_EVENT_COMBINED ? key->alike : key->message;
}

struct es_event_object es_event_recall(const struct es_event_memory *m, const struct es_event_key *key,
                                       enum es_event_fate fate, int64_t now_ms)
{
    const struct es_event_record *r = find(m, object_key(key, fate), KIND_OBJECT);

    if (!r || is_over(r, now_ms))
        return (struct es_event_object){0};
    return (struct es_event_object){
        .named_unix_ms = r->u.object.named_unix_ms, .serial = r->serial, .count = r->u.object.count};
}

void es_event_remember(struct es_event_memory *m, const struct es_event_key *key, enum es_event_fate fate,
                       const struct es_event_object *object, int64_t now_ms)
{
    struct es_event_record *r = find_or_add(m, object_key(key, fate), KIND_OBJECT, now_ms);

    if (!r)
        return;
    r->last_s = seconds(now_ms);
    r->serial = object->serial;
    r->u.object.named_unix_ms = object->named_unix_ms;
    r->u.object.count = object->count;
}
