/* core/wire/link.h: frames over a stream socket, between the core and a plugin's
 * process.
 *
 * A frame is a header of eight bytes (u32 length of what follows, u16 type, u16
 * number of the call that it belongs to) and a payload of fields in the machine's
 * own byte order: both ends are on the same machine. Integers stand one after the
 * other without padding, bytes as a u32 length and the bytes. What is read is
 * foreign input: every field is checked against the end of its frame, and a frame
 * against ES_FRAME_MAX.
 *
 * Frames hold secrets. Whatever was written or read is wiped as soon as it is
 * done with. A link is used by one thread at a time. */
#ifndef ES_WIRE_LINK_H
#define ES_WIRE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp/plugin.h"

/* An HTTP request has 16 MiB of body and 13 MiB of headers at most. */
#define ES_FRAME_MAX ((size_t)40 << 20)

/* What reading and writing come to. */
enum es_link_result {
    ES_LINK_FRAME = 1,
    ES_LINK_OK = 0,
    ES_LINK_QUIET = -1,  /* the socket's time-out passed and nothing was whole: ask again */
    ES_LINK_CLOSED = -2, /* the other side is gone */
    ES_LINK_BROKEN = -3, /* what came is no frame, or is too large */
    ES_LINK_NOMEM = -4
};

struct es_frame {
    uint16_t type, call;
    uint8_t *data; /* owned */
    size_t len, at;
    bool bad; /* a field was missing, or something stood behind the last one */
};

#define ES_LINK_IN 4096

struct es_link {
    int fd;
    uint16_t call;       /* goes into the frames that are put; counts up and around */
    int64_t time_out_ms; /* of the socket; 0: none */

    /* Bytes that came along with an earlier frame, and the frame that is half there. */
    uint8_t in[ES_LINK_IN];
    size_t in_at, in_len;
    uint8_t head[8];
    size_t head_len;
    struct es_frame half; /* once its header is there */
    size_t half_len;

    uint8_t *out;
    size_t out_len, out_cap, frame_at;
    bool failed; /* a put did: no memory, or above ES_FRAME_MAX */
};

/* `fd` is consumed by es_link_fini; -1 is fine, and zeroes are descriptor 0. Its
 * time-out for reading is that of the link, in both directions: no call below takes
 * much longer, however the other side deals out its bytes. */
void es_link_init(struct es_link *l, int fd);
void es_link_fini(struct es_link *l);

/* ---- writing: es_put_begin, fields, es_put_end, and a flush after some frames ---- */

void es_put_begin(struct es_link *l, uint16_t type);
void es_put_u32(struct es_link *l, uint32_t value);
void es_put_u64(struct es_link *l, uint64_t value);
void es_put_bytes(struct es_link *l, esp_bytes bytes);
void es_put_text(struct es_link *l, const char *text); /* NULL is "" */
void es_put_pairs(struct es_link *l, const esp_pair *pairs, size_t count);
void es_put_end(struct es_link *l);

/* Takes back everything that was put since the last flush. */
void es_put_forget(struct es_link *l);

/* Sends what was put. ES_LINK_QUIET: the socket's time-out passed, call again.
 * ES_LINK_NOMEM: a put had failed, nothing was sent. */
enum es_link_result es_link_flush(struct es_link *l);

/* ---- reading ---- */

/* The next frame, to be freed by es_frame_fini. *ret is untouched otherwise. */
enum es_link_result es_link_next(struct es_link *l, struct es_frame *ret);

/* Whether something has arrived, without waiting. */
bool es_link_pending(const struct es_link *l);

/* Wipes. Zeroes are fine. */
void es_frame_fini(struct es_frame *f);

/* Fields in their order. After a field that is not there, all are zero and
 * `bad` is set. Bytes are borrowed from the frame. */
uint32_t es_get_u32(struct es_frame *f);
uint64_t es_get_u64(struct es_frame *f);
esp_bytes es_get_bytes(struct es_frame *f);

/* A count of things that take at least `each` bytes, so that no count promises
 * more than the frame can hold. 0 with `bad` set above `max`. */
size_t es_get_count(struct es_frame *f, size_t each, size_t max);

/* Fills count pairs. */
void es_get_pairs(struct es_frame *f, esp_pair *ret, size_t count);

/* At the end: was everything there, and nothing more? */
bool es_get_done(struct es_frame *f);

#endif
