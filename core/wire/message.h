/* core/wire/message.h: what the core and a plugin's process say to each other.
 *
 * The control link is one socket for the life of the process:
 *
 *   core     HELLO     es_put_hello
 *   process  HELLO     u32 frame version (0: none fits), u32 fences
 *   process  REFUSED   u32 enum es_refusal, u32 detail, text        (and ends)
 *        or  PLUGIN    its tables, es_put_plugin
 *   core     LANE      with a socket beside it, once per lane
 *
 * A lane carries one call at a time, and every frame its number, so that what
 * comes late or twice is never taken for something else:
 *
 *   core     CALL      es_put_call
 *   process  EMIT, REFUSED_EMIT, FAIL, FAIL_AT, LOG      any number, none is answered
 *   process  HTTP, KUBE_READ, SA_TOKEN, AMBIENT, RENDER, WAIT   each answered by a REPLY
 *   core     REPLY     u32 status, then what the service gives: bytes, or a response
 *   core     CANCEL    at any time: nobody wants the result any more
 *   process  RETURN    u32 status, u64 instance (open)
 *
 * Whoever says something else breaks the protocol. */
#ifndef ES_WIRE_MESSAGE_H
#define ES_WIRE_MESSAGE_H

#include "core/wire/link.h"
#include "core/wire/op.h"

/* Raised when a frame changes; both programs name what they speak, and the
 * highest that both know is spoken. */
#define ES_FRAMES_LEAST 2
#define ES_FRAMES_MOST 2

/* The values cross: they never change. */
enum es_message {
    ES_MSG_HELLO = 1,
    ES_MSG_REFUSED = 2,
    ES_MSG_PLUGIN = 3,
    ES_MSG_LANE = 4,
    ES_MSG_CALL = 16,
    ES_MSG_REPLY = 17,
    ES_MSG_CANCEL = 18,
    ES_MSG_RETURN = 19,
    ES_MSG_EMIT = 32,
    ES_MSG_REFUSED_EMIT = 33,
    ES_MSG_FAIL = 34,
    ES_MSG_FAIL_AT = 35,
    ES_MSG_LOG = 36,
    ES_MSG_HTTP = 48,
    ES_MSG_KUBE_READ = 49,
    ES_MSG_SA_TOKEN = 50,
    ES_MSG_AMBIENT = 51,
    ES_MSG_RENDER = 52,
    ES_MSG_WAIT = 53
};

/* What a plugin's process finds open when it starts. */
#define ES_CONTROL_FD 3
#define ES_MEMORY_FD 4 /* with ES_HELLO_MEMORY_FILE */
#define ES_MEMORY_PATH "/proc/self/fd/4"

/* Bits of the core's hello. */
enum {
    ES_HELLO_DEBUGGABLE = 1 << 0, /* core dumps and debuggers are allowed */
    ES_HELLO_MEMORY_FILE = 1 << 1 /* the plugin's checked bytes are descriptor 4 */
};

/* Entries of these majors are looked for, to explain a refusal. */
#define ES_MAX_MAJOR 20

/* Why a process has no plugin to offer. */
enum es_refusal {
    ES_REFUSAL_LOADER = 1, /* text: the loader's own words */
    ES_REFUSAL_NO_ENTRY,   /* detail: the major that it has an entry for, or UINT32_MAX */
    ES_REFUSAL_VETO,
    ES_REFUSAL_LOCALE, /* text: the locale that it set */
    ES_REFUSAL_THREADS /* it started one while it was loaded */
};

struct es_hello {
    uint32_t least, most; /* frame versions */
    uint64_t memory;      /* bytes that the process may have for itself; 0: no ceiling */
    uint32_t flags;
};

/* A LANE frame, which goes out and comes in whole, beside its socket. */
#define ES_LANE_FRAME_SIZE 8
void es_lane_frame(uint8_t ret[ES_LANE_FRAME_SIZE]);

void es_put_hello(struct es_link *l, const struct es_hello *h);
bool es_get_hello(struct es_frame *f, struct es_hello *ret);

/* One call, in either direction borrowed. */
struct es_wire_call {
    enum es_op op;
    uint32_t component;  /* index; none for configure */
    uint64_t instance;   /* of an opened store */
    int64_t deadline_ms; /* monotonic, the same clock on both sides */
    uint32_t log_level;  /* ESP_LOG_...: what is worth sending */
    esp_bytes json;
    const esp_pair *values;
    size_t value_count;
};

/* es_get_call leaves `values` alone, which follow as that many pairs. */
void es_put_call(struct es_link *l, const struct es_wire_call *c);
bool es_get_call(struct es_frame *f, struct es_wire_call *ret);

#define ES_WIRE_MAX_VALUES ((size_t)100000)
#define ES_WIRE_MAX_AUDIENCES ((size_t)32)

/* HTTP. A request is cut where the core would refuse it anyway (one byte or one
 * header too many is kept, so that it does, with its own words). `headers`
 * has room for ES_WIRE_MAX_HEADERS. */
#define ES_WIRE_MAX_HEADERS ((size_t)256)
void es_put_http_request(struct es_link *l, const struct esp_http_request *q, uint32_t response_size);
bool es_get_http_request(struct es_frame *f, struct esp_http_request *ret, uint32_t *ret_response_size,
                         esp_pair *headers);
void es_put_http_response(struct es_link *l, const struct esp_http_response *a);
bool es_get_http_response(struct es_frame *f, struct esp_http_response *ret, esp_pair *headers);

#endif
