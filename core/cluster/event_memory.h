/* core/cluster/event_memory.h: what was said before, so that the next event can
 * be counted, combined or left out, by the rules of client-go's event correlator:
 *
 *   - a source may say 25 things about an object, then one in 5 minutes;
 *   - of things that differ only in their message (time stamps, request ids) the
 *     first nine in ten minutes are events of their own, the rest are combined;
 *   - the same again raises the count of the Event that is there.
 *
 * A record is 40 bytes and holds hashes, no texts; there are never more than
 * `slots`. When these are full, the oldest go, and with them counts, never events.
 * Not locked. */
#ifndef ES_CLUSTER_EVENT_MEMORY_H
#define ES_CLUSTER_EVENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct es_event_record;

struct es_event_memory {
    struct es_event_record *records; /* open addressing */
    size_t cap, count, most;         /* most: of `cap`; a power of two */
};

/* Hashes that stand for an event. */
struct es_event_key {
    uint64_t about;   /* source and object */
    uint64_t alike;   /* these, type and reason */
    uint64_t message; /* these and the message */
};

/* What becomes of an event. */
enum es_event_fate {
    ES_EVENT_FLOOD,    /* to be left out */
    ES_EVENT_SINGLE,   /* an event of its own */
    ES_EVENT_COMBINED, /* one of many that are alike */
};

void es_event_memory_init(struct es_event_memory *m, size_t slots);
void es_event_memory_fini(struct es_event_memory *m);

/* Notes that it is being said. Without memory it is SINGLE. */
enum es_event_fate es_event_judge(struct es_event_memory *m, const struct es_event_key *key, int64_t now_ms);

/* The Event object that stands for it; count 0: there is none yet. */
struct es_event_object {
    int64_t named_unix_ms; /* its name is made of these two */
    uint16_t serial;
    uint32_t count;
};
struct es_event_object es_event_recall(const struct es_event_memory *m, const struct es_event_key *key,
                                       enum es_event_fate fate, int64_t now_ms);
void es_event_remember(struct es_event_memory *m, const struct es_event_key *key, enum es_event_fate fate,
                       const struct es_event_object *object, int64_t now_ms);

/* Forgets what is older than ten minutes, and gives the memory back. */
void es_event_memory_sweep(struct es_event_memory *m, int64_t now_ms);

#define ES_EVENT_MEMORY_MS (10 * 60 * INT64_C(1000))

#endif
