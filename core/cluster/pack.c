#include "core/cluster/pack.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "core/base/error.h"
#include "core/base/mem.h"

/* A handful of usual objects. The tables over it are several times as large. */
#define SAMPLE_MAX ((size_t)12 * 1024)
#define SLICE_MAX (SAMPLE_MAX / 4)

/* Most of what Zstandard gains here, it gains from the sample; more effort than
 * the least saves a tenth of the rest and costs twice the time. */
#define LEVEL 1

struct es_pack {
    pthread_mutex_t lock; /* guards what follows */
    ZSTD_CCtx *packer;    /* NULL: nothing was packed yet. Both are a hundred KiB and */
    ZSTD_DCtx *unpacker;  /* more, and most clusters have no objects of some kinds. */
    ZSTD_CDict *tables;   /* over the sample, for the packer; NULL: no sample yet */
    size_t sample_len, misfits;
    char sample[SAMPLE_MAX]; /* used from its end on */
};

static const char *sample_of(const struct es_pack *p)
{
    return p->sample + SAMPLE_MAX - p->sample_len;
}

struct es_pack *es_pack_new(void)
{
    struct es_pack *p = es_mem_calloc(1, sizeof *p);

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static bool has_packer_locked(struct es_pack *p)
{
    if (p->packer)
        return true;
    p->packer = ZSTD_createCCtx();
    if (!p->packer)
        return false;
    ZSTD_CCtx_setParameter(p->packer, ZSTD_c_compressionLevel, LEVEL);
    /* The caller knows the length, and the sample has no number. */
    ZSTD_CCtx_setParameter(p->packer, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(p->packer, ZSTD_c_dictIDFlag, 0);
    return true;
}

void es_pack_free(struct es_pack *p)
{
    if (!p)
        return;
    ZSTD_freeCCtx(p->packer);
    ZSTD_freeDCtx(p->unpacker);
    ZSTD_freeCDict(p->tables);
    pthread_mutex_destroy(&p->lock);
    es_mem_free(p);
}

/* A sample of raw text is to Zstandard what stands in front of the text:
 * matches count backwards from its end. So what is put at its front leaves all
 * that was packed before as readable as it was. */
static void learn_locked(struct es_pack *p, const char *text, size_t len)
{
    size_t room = SAMPLE_MAX - p->sample_len;
    size_t slice = len < SLICE_MAX ? len : SLICE_MAX;

    if (slice > room)
        slice = room;
    char *front = p->sample + room - slice;
    memcpy(front, text, slice);
    ZSTD_CDict *tables = ZSTD_createCDict(front, p->sample_len + slice, LEVEL);
    if (!tables)
        return;
    ZSTD_CCtx_refCDict(p->packer, tables);
    ZSTD_freeCDict(p->tables);
    p->tables = tables;
    p->sample_len += slice;
}

/* The first text, the second, fourth, eighth ... of those that stay large: where
 * each differs from all others there is little to learn. */
static bool is_worth_learning_locked(struct es_pack *p, size_t len, size_t packed)
{
    if (packed && packed <= len / 6)
        return false;
    p->misfits++;
    return p->sample_len < SAMPLE_MAX && (p->misfits & (p->misfits - 1)) == 0;
}

static size_t pack_locked(struct es_pack *p, const char *text, size_t len, char *out)
{
    size_t packed = ZSTD_compress2(p->packer, out, len, text, len);
    return ZSTD_isError(packed) || packed >= len ? 0 : packed;
}

size_t es_pack_in(struct es_pack *p, const char *text, size_t len, char *out)
{
    size_t packed = 0;

    pthread_mutex_lock(&p->lock);
    bool able = has_packer_locked(p);
    if (able)
        packed = pack_locked(p, text, len, out);
    if (able && is_worth_learning_locked(p, len, packed)) {
        learn_locked(p, text, len);
        packed = pack_locked(p, text, len, out);
    }
    pthread_mutex_unlock(&p->lock);
    return packed;
}

int es_pack_out(struct es_pack *p, const char *packed, size_t packed_len, char *text, size_t len)
{
    size_t got = 0;

    pthread_mutex_lock(&p->lock);
    if (!p->unpacker)
        p->unpacker = ZSTD_createDCtx();
    bool able = p->unpacker != NULL;
    if (able)
        got = ZSTD_decompress_usingDict(p->unpacker, text, len, packed, packed_len, sample_of(p),
                                        p->sample_len);
    pthread_mutex_unlock(&p->lock);
    if (!able)
        return ES_E_NOMEM;
    return !ZSTD_isError(got) && got == len ? 0 : ES_E_INVALID;
}
