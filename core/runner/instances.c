#include "core/runner/instances.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct slot {
    bool used;
    void *state; /* the plugin's; may well be NULL */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct slot *slots;
static size_t slot_count;

static size_t free_slot_locked(void)
{
    for (size_t i = 0; i < slot_count; i++)
        if (!slots[i].used)
            return i;
    size_t count = slot_count ? slot_count * 2 : 16;
    struct slot *more = realloc(slots, count * sizeof *slots);
    if (!more)
        return SIZE_MAX;
    slots = more;
    for (size_t i = slot_count; i < count; i++)
        slots[i] = (struct slot){0};
    size_t first = slot_count;
    slot_count = count;
    return first;
}

uint64_t es_instances_add(void *state)
{
    pthread_mutex_lock(&lock);
    size_t i = free_slot_locked();
    if (i != SIZE_MAX)
        slots[i] = (struct slot){true, state};
    pthread_mutex_unlock(&lock);
    return i == SIZE_MAX ? 0 : i + 1;
}

void *es_instances_get(uint64_t number)
{
    void *state = NULL;

    pthread_mutex_lock(&lock);
    if (number >= 1 && number <= slot_count && slots[number - 1].used)
        state = slots[number - 1].state;
    pthread_mutex_unlock(&lock);
    return state;
}

void *es_instances_take(uint64_t number)
{
    void *state = NULL;

    pthread_mutex_lock(&lock);
    if (number >= 1 && number <= slot_count && slots[number - 1].used) {
        state = slots[number - 1].state;
        slots[number - 1].used = false;
    }
    pthread_mutex_unlock(&lock);
    return state;
}
