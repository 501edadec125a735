/* core/base/sanitized.h: is this a build with the address, thread or memory
 * sanitizer? Those replace the allocator, read /proc, start threads and processes,
 * reserve terabytes and need more stack: no fence and no limit on memory lets that
 * through. */
#ifndef ES_BASE_SANITIZED_H
#define ES_BASE_SANITIZED_H

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
