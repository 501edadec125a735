#include "core/base/yaml_lines.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/map.h"

struct es_yaml_line_slot {
    uint64_t hash; /* 0: empty */
    int line;
};

uint64_t es_yaml_of_node(const json_t *node)
{
    return es_hash64(&node, sizeof node) | 1;
}

uint64_t es_yaml_of_index(const json_t *parent, size_t index)
{
    struct {
        const json_t *parent;
        size_t index;
    } id = {parent, index};
    return es_hash64(&id, sizeof id) | 1;
}

uint64_t es_yaml_of_key(const json_t *parent, const char *key)
{
    return (es_hash64(key, strlen(key)) * UINT64_C(0x9E3779B97F4A7C15) + es_yaml_of_node(parent)) | 1;
}

static struct es_yaml_line_slot *find_line(const struct es_yaml_lines *t, uint64_t hash)
{
    size_t i = (size_t)(hash >> 1) & (t->cap - 1);
    while (t->slots[i].hash && t->slots[i].hash != hash)
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

int es_yaml_lines_get(const struct es_yaml_lines *t, uint64_t hash)
{
    return t && t->cap ? find_line(t, hash)->line : 0;
}

static int grow_lines(struct es_yaml_lines *t)
{
    struct es_yaml_lines bigger = {.cap = t->cap ? t->cap * 2 : 64, .count = t->count};

    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return ES_E_NOMEM;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].hash)
            *find_line(&bigger, t->slots[i].hash) = t->slots[i];
    free(t->slots);
    *t = bigger;
    return 0;
}

int es_yaml_lines_put(struct es_yaml_lines *t, uint64_t hash, int line)
{
    if (t->count >= t->cap / 4 * 3 && grow_lines(t) < 0)
        return ES_E_NOMEM;
    struct es_yaml_line_slot *slot = find_line(t, hash);
    t->count += !slot->hash;
    *slot = (struct es_yaml_line_slot){hash, line};
    return 0;
}

void es_yaml_lines_free(struct es_yaml_lines *t)
{
    if (t)
        free(t->slots);
    free(t);
}
