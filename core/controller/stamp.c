#include "core/controller/stamp.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/kube/obj.h"

static void mix(struct es_stamp *s, const char *text)
{
    const uint64_t pair[2] = {s->number, es_hash64(text, strlen(text))};

    s->number = es_hash64(pair, sizeof pair);
    if (!s->number)
        s->number = 1;
}

static int64_t later(const json_t *time, int64_t than)
{
    int64_t ms;
    const char *text = json_is_string(time) ? json_string_value(time) : "";
    return es_time_parse(text, &ms) == 0 && ms > than ? ms : than;
}

/* Whoever wrote it is in its managedFields. */
static int64_t written_ms(const json_t *object)
{
    int64_t ms = later(es_obj_at(object, "metadata", "creationTimestamp"), 0);
    json_t *entry;
    size_t i;

    json_array_foreach (es_obj_at(object, "metadata", "managedFields"), i, entry)
        ms = later(json_object_get(entry, "time"), ms);
    return ms;
}

void es_stamp_add(struct es_stamp *s, const json_t *object)
{
    int64_t ms = written_ms(object);

    mix(s, es_obj_str(object, "metadata", "uid"));
    mix(s, es_obj_str(object, "metadata", "resourceVersion"));
    if (ms > s->written_unix_ms)
        s->written_unix_ms = ms;
}

void es_stamp_add_missing(struct es_stamp *s)
{
    s->missing = true;
    mix(s, "");
}
