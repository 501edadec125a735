/* core/check/sanitized.h: is this a build with the address or the thread sanitizer?
 * Those replace the allocator and need more stack. */
#ifndef ES_CHECK_SANITIZED_H
#define ES_CHECK_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ES_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ES_SANITIZED 1
#endif
#endif
#ifndef ES_SANITIZED
#define ES_SANITIZED 0
#endif

#endif
