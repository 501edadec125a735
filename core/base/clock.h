/* core/base/clock.h: time, and its text forms. */
#ifndef ES_BASE_CLOCK_H
#define ES_BASE_CLOCK_H

#include <stdint.h>

int64_t es_mono_ms(void); /* monotonic, for deadlines and due times */
int64_t es_mono_ns(void);
/* Monotonic too, but counts the time that the machine was suspended: for
 * promises to other machines. */
int64_t es_boot_ms(void);
int64_t es_unix_ms(void); /* wall clock, for what people and the API see */

/* What decides about time and chance takes these instead of asking the
 * system, so that tests own them. */
struct es_clock {
    int64_t (*unix_ms)(void *ctx);
    int64_t (*mono_ms)(void *ctx);
    uint32_t (*random)(void *ctx);
    void *ctx;
};
extern const struct es_clock es_system_clock;

#define ES_TIME_TEXT_MAX 40

/* "2006-01-02T15:04:05Z" (RFC 3339, seconds: metav1.Time). Returns `out`. */
char *es_time_format(int64_t unix_ms, char out[ES_TIME_TEXT_MAX]);

/* "2006-01-02T15:04:05.000000Z": metav1.MicroTime. */
char *es_time_format_micro(int64_t unix_ms, char out[ES_TIME_TEXT_MAX]);

/* RFC 3339 with optional fraction and any offset. 0 or -1. */
int es_time_parse(const char *text, int64_t *ret_unix_ms);

/* Go's time.ParseDuration: "1h30m", "300ms", "-1.5h", "0". Result in ms,
 * rounded towards zero. 0 or -1 (overflow included). */
int es_duration_parse(const char *text, int64_t *ret_ms);

/* Go's Duration.String for whole milliseconds: "1h0m0s", "1.5s", "0s". */
char *es_duration_format(int64_t ms, char out[ES_TIME_TEXT_MAX]);

#endif
