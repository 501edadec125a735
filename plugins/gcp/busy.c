#include "busy.h"

#include <pthread.h>
#include <stdlib.h>

struct gcp_busy {
    struct gcp_busy *next;
    esp_bytes path;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct gcp_busy *list;

static bool is_taken_locked(esp_bytes path)
{
    const struct gcp_busy *b = list;

    while (b && !esp_equal(b->path, path))
        b = b->next;
    return b != NULL;
}

static void release(struct gcp_busy *b)
{
    esp_dup_free(b->path);
    free(b);
}

struct gcp_busy *gcp_busy_begin(esp_bytes path, bool *memory)
{
    struct gcp_busy *b = calloc(1, sizeof *b);

    if (b)
        b->path = esp_dup(path);
    *memory = b && b->path.ptr;
    if (!*memory) {
        free(b);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    bool taken = is_taken_locked(path);
    if (!taken) {
        b->next = list;
        list = b;
    }
    pthread_mutex_unlock(&lock);
    if (!taken)
        return b;
    release(b);
    return NULL;
}

void gcp_busy_end(struct gcp_busy *taken)
{
    if (!taken)
        return;
    pthread_mutex_lock(&lock);
    struct gcp_busy **at = &list;
    while (*at != taken)
        at = &(*at)->next;
    *at = taken->next;
    pthread_mutex_unlock(&lock);
    release(taken);
}
