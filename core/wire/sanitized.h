/* core/wire/sanitized.h: sanitizers read /proc, start threads and processes,
 * and reserve terabytes: nothing that a fence would let through. A runner that
 * is built with one goes without, and says so in its hello. */
#ifndef ES_WIRE_SANITIZED_H
#define ES_WIRE_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ES_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define ES_SANITIZED 1
#endif
#endif
#ifndef ES_SANITIZED
#define ES_SANITIZED 0
#endif

#endif
