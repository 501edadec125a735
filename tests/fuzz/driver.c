/* Runs a libFuzzer-style target without libFuzzer: every file of a folder,
 * then mutations of them from a fixed seed, so that each run is the same.
 *
 *   THING_fuzz FOLDER [MUTATIONS [SEED]]
 *
 * With clang, configure with -DESOD_LIBFUZZER=ON to get the real one. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_FILES 256
#define INPUT_BYTES 4096
#define MAX_SECONDS 5 /* of mutations, however slow the machine */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *bytes;
    size_t len;
};

static struct input corpus[MAX_FILES];
static size_t corpus_count;
static uint64_t random_state;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

static int read_input(const char *folder, const char *name)
{
    char path[4096];
    struct input *in = &corpus[corpus_count];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    in->bytes = malloc(INPUT_BYTES);
    if (!f || !in->bytes) {
        perror(path);
        return -1;
    }
    in->len = fread(in->bytes, 1, INPUT_BYTES, f);
    fclose(f);
    corpus_count++;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of the names: readdir's order would change the mutations. */
static int read_corpus(const char *folder)
{
    char *names[MAX_FILES];
    size_t count = 0;
    DIR *dir = opendir(folder);
    int rc = 0;

    if (!dir) {
        perror(folder);
        return -1;
    }
    for (struct dirent *e; count < MAX_FILES && (e = readdir(dir));)
        if (e->d_name[0] != '.' && (names[count] = strdup(e->d_name)))
            count++;
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = read_input(folder, names[i]);
        free(names[i]);
    }
    return rc;
}

/* From a buffer of exactly that size, so that a sanitizer sees an overrun. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        return;
    memcpy(exact, bytes, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static size_t insert(uint8_t *b, size_t len, size_t at, const uint8_t *piece, size_t n)
{
    if (n > INPUT_BYTES - len)
        n = INPUT_BYTES - len;
    memmove(b + at + n, b + at, len - at);
    memcpy(b + at, piece, n);
    return len + n;
}

static size_t mutate_once(uint8_t *b, size_t len)
{
    static const uint8_t odd[] = "\x00\xFF\x80\xC3\n\t\"'\\[]{}()*+?|-:,&!#%@<>=/.0129eExXZ";
    uint32_t at = next_random((uint32_t)len + 1);
    uint32_t n = 1 + next_random(16);
    uint8_t piece[INPUT_BYTES];
    const struct input *other = &corpus[next_random((uint32_t)corpus_count)];

    switch (next_random(6)) {
    case 0: /* one bit */
        if (at < len)
            b[at] ^= (uint8_t)(1u << next_random(8));
        return len;
    case 1: /* one byte, one that parsers care for */
        if (at < len)
            b[at] = odd[next_random(sizeof odd - 1)];
        return len;
    case 2:
        piece[0] = odd[next_random(sizeof odd - 1)];
        return insert(b, len, at, piece, 1);
    case 3: /* cut out */
        if (n > len - at)
            n = (uint32_t)(len - at);
        memmove(b + at, b + at + n, len - at - n);
        return len - n;
    case 4: /* repeat a part of itself */
        if (n > len - at)
            n = (uint32_t)(len - at);
        memcpy(piece, b + at, n);
        return insert(b, len, next_random((uint32_t)len + 1), piece, n);
    default: { /* a part of another */
        uint32_t from = next_random((uint32_t)other->len + 1);
        if (n > other->len - from)
            n = (uint32_t)(other->len - from);
        memcpy(piece, other->bytes + from, n);
        return insert(b, len, at, piece, n);
    }
    }
}

static long run_mutations(long count)
{
    uint8_t bytes[INPUT_BYTES];
    time_t end = time(NULL) + MAX_SECONDS;
    long done = 0;

    for (; done < count && time(NULL) < end; done++) {
        const struct input *in = &corpus[next_random((uint32_t)corpus_count)];
        size_t len = in->len;
        memcpy(bytes, in->bytes, len);
        for (uint32_t n = 1 + next_random(5); n > 0; n--)
            len = mutate_once(bytes, len);
        run(bytes, len);
    }
    return done;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [MUTATIONS [SEED]]\n", argv[0]);
        return 2;
    }
    random_state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    if (read_corpus(argv[1]) < 0 || !corpus_count)
        return 1;
    for (size_t i = 0; i < corpus_count; i++)
        run(corpus[i].bytes, corpus[i].len);
    long done = run_mutations(argc > 2 ? strtol(argv[2], NULL, 10) : 20000);
    printf("%zu files, %ld mutations\n", corpus_count, done);
    for (size_t i = 0; i < corpus_count; i++)
        free(corpus[i].bytes);
    return 0;
}
