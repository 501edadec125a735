#include "core/check/plant.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/buf.h"
#include "core/base/codec.h"
#include "core/check/heap.h"

#define CORE 24
#define SEEN 12 /* of the core: by chance, nobody writes these */
#define BASE64_MAX 32

static const char *const words[ES_PLANT_COUNT] = {
    [ES_PLANT_SECRET] = "the value of a Kubernetes Secret",
    [ES_PLANT_TOKEN] = "a service account's token",
    [ES_PLANT_PUSHED] = "the value that was to be pushed",
    [ES_PLANT_BODY] = "a part of the backend's answer",
    [ES_PLANT_HEADER] = "a header of the backend's answer",
    [ES_PLANT_AMBIENT] = "a secret of the process' environment",
};

static struct {
    char text[CORE + 8];
    char plain[SEEN + 1];
    char hex[2 * SEEN + 1];
    char base64[3][BASE64_MAX]; /* by the core's offset in what was encoded */
} plants[ES_PLANT_COUNT];

/* The characters of base64 that depend on these bytes alone. */
static void encode_at(char out[BASE64_MAX], const char *plain, size_t offset)
{
    char padded[SEEN + 3] = "--";
    struct es_buf text;

    memcpy(padded + offset, plain, SEEN);
    es_buf_init(&text, BASE64_MAX);
    es_base64_encode(&text, padded, offset + SEEN);
    size_t from = (offset * 8 + 5) / 6, to = (offset + SEEN) * 8 / 6;
    snprintf(out, BASE64_MAX, "%.*s", (int)(to - from), es_buf_str(&text) + from);
    es_buf_fini(&text);
}

void es_plants_init(void)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    unsigned char bytes[CORE];

    for (int i = 0; i < ES_PLANT_COUNT; i++) {
        char core[CORE + 1] = "";
        if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
            abort();
        for (int n = 0; n < CORE; n++)
            core[n] = letters[bytes[n] % (sizeof letters - 1)];
        snprintf(plants[i].text, sizeof plants[i].text, "k/%s+=", core);
        memcpy(plants[i].plain, core, SEEN);
        for (int n = 0; n < SEEN; n++)
            snprintf(plants[i].hex + 2 * n, 3, "%02x", (unsigned char)core[n]);
        for (size_t offset = 0; offset < 3; offset++)
            encode_at(plants[i].base64[offset], core, offset);
    }
}

const char *es_plant(enum es_plant plant)
{
    return plants[plant].text;
}

static bool holds(const char *text, size_t len, const char *part)
{
    return memmem(text, len, part, strlen(part)) != NULL;
}

/* Base64 for URLs in the letters of the other one, and hexadecimal in small ones. */
static char *fold(esp_bytes text, int (*how)(int))
{
    char *copy = malloc(text.len + 1);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = (char)how(text.ptr[i]);
    return copy;
}

static int to_standard(int c)
{
    return c == '-' ? '+' : c == '_' ? '/' : c;
}

static const char *form_of(int i, esp_bytes text, const char *standard, const char *small)
{
    if (holds((const char *)text.ptr, text.len, plants[i].plain))
        return "as it is";
    for (int offset = 0; offset < 3; offset++)
        if (holds(standard, text.len, plants[i].base64[offset]))
            return "in base64";
    return holds(small, text.len, plants[i].hex) ? "in hexadecimal" : NULL;
}

const char *es_plant_found(esp_bytes text, unsigned without, const char **ret_form)
{
    const char *found = NULL;

    if (text.len == 0)
        return NULL;
    bool paused = es_heap_pause();
    char *standard = fold(text, to_standard), *small = fold(text, tolower);
    for (int i = 0; standard && small && i < ES_PLANT_COUNT && !found; i++) {
        const char *form = without & (1u << i) ? NULL : form_of(i, text, standard, small);
        if (form) {
            *ret_form = form;
            found = words[i];
        }
    }
    free(standard);
    free(small);
    es_heap_resume(paused);
    return found;
}
