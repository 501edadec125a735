#include "core/template/tzone.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)64 * 1024)
#define NAME_MAX_LEN 100
#define HEADER 44

/* Big-endian numbers. */
static uint32_t u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t i64(const unsigned char *p)
{
    return (int64_t)((uint64_t)u32(p) << 32 | u32(p + 4));
}

/* One of the two blocks of a file: transitions, the types they lead to, names. */
struct block {
    uint32_t utc, std, leaps, times, types, chars;
    const unsigned char *data;
    size_t size;
};

/* False: it is not there in full. */
static bool read_block(struct block *b, const unsigned char *p, size_t len, size_t time_size)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    *b = (struct block){.utc = u32(p + 20),
                        .std = u32(p + 24),
                        .leaps = u32(p + 28),
                        .times = u32(p + 32),
                        .types = u32(p + 36),
                        .chars = u32(p + 40),
                        .data = p + HEADER};
    if (b->utc > FILE_MAX || b->std > FILE_MAX || b->leaps > FILE_MAX || b->times > FILE_MAX ||
        b->types > FILE_MAX || b->chars > FILE_MAX)
        return false;
    b->size = b->times * (time_size + 1) + (size_t)b->types * 6 + b->chars + b->leaps * (time_size + 4) +
              b->std + b->utc;
    return b->types > 0 && b->size <= len - HEADER;
}

static bool use_type(const struct block *b, size_t type, int32_t *ret_offset, char ret_abbr[ES_TZONE_MAX])
{
    const unsigned char *types = b->data + b->times * (size_t)9;

    if (type >= b->types)
        return false;
    size_t name = types[type * 6 + 5];
    if (name >= b->chars)
        return false;
    *ret_offset = (int32_t)u32(types + type * 6);
    snprintf(ret_abbr, ES_TZONE_MAX, "%.*s", (int)(b->chars - name),
             (const char *)types + (size_t)b->types * 6 + name);
    return true;
}

/* How many transitions lie at or before the moment. */
static size_t transitions_until(const struct block *b, int64_t unix_s)
{
    size_t low = 0, high = b->times;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (i64(b->data + mid * 8) <= unix_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The rule stands between two line ends behind the second block, for all time after the
 * last transition. */
static bool use_rule(const unsigned char *p, size_t len, int64_t unix_s, int32_t *ret_offset,
                     char ret_abbr[ES_TZONE_MAX])
{
    const unsigned char *end = len > 1 && *p == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;

    return end && es_tzone_by_rule((const char *)p + 1, (size_t)(end - p) - 1, unix_s, ret_offset, ret_abbr);
}

bool es_tzone_in_file(const unsigned char *file, size_t len, int64_t unix_s, int32_t *ret_offset,
                      char ret_abbr[ES_TZONE_MAX])
{
    struct block old, b;

    /* The first block has times of 32 bits, for readers of long ago. */
    if (!read_block(&old, file, len, 4))
        return false;
    size_t second = HEADER + old.size;
    if (!read_block(&b, file + second, len - second, 8))
        return false;
    size_t n = transitions_until(&b, unix_s), behind = second + HEADER + b.size;
    if (n == b.times && use_rule(file + behind, len - behind, unix_s, ret_offset, ret_abbr))
        return true;
    return use_type(&b, n ? b.data[b.times * (size_t)8 + n - 1] : 0, ret_offset, ret_abbr);
}

/* A name goes to a file below the folder, and nowhere else. */
static bool is_name(const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_LEN || *name == '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-' ||
                    c == '+' || c == '/';
        if (!word)
            return false;
    }
    return true;
}

bool es_tzone_at(const char *name, size_t len, int64_t unix_s, int32_t *ret_offset,
                 char ret_abbr[ES_TZONE_MAX])
{
    char path[NAME_MAX_LEN + 32];
    unsigned char file[8192];

    if (!is_name(name, len))
        return false;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", (int)len, name);
    FILE *f = fopen(path, "rbe");
    if (!f)
        return false;
    size_t size = fread(file, 1, sizeof file, f);
    fclose(f);
    return es_tzone_in_file(file, size, unix_s, ret_offset, ret_abbr);
}
