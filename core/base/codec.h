/* core/base/codec.h: base64 and digests. */
#ifndef ES_BASE_CODEC_H
#define ES_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/values.h"

/* RFC 4648 section 4, padded. */
void es_base64_encode(struct es_buf *out, const void *data, size_t len);

enum es_base64_alphabet { ES_BASE64_STD, ES_BASE64_URL };

/* Decodes as Go's StdEncoding and URLEncoding do: padding required, \r and \n
 * skipped. Returns 0 and sets *ret, or ES_E_INVALID and the offset of the
 * first bad byte in *ret_bad (as Go counts it in CorruptInputError), or
 * ES_E_NOMEM. */
int es_base64_decode(struct es_blob *ret, enum es_base64_alphabet alphabet, const char *text, size_t len,
                     size_t *ret_bad);

#define ES_SHA3_224_HEX_MAX 57
#define ES_SHA256_HEX_MAX 65

/* Lower-case hex; `out` holds 2 * len + 1. */
void es_hex(char *out, const void *data, size_t len);

/* Lower-case hex of SHA3-224 (FIPS 202) over the bytes. 0 or ES_E_INTERNAL. */
int es_sha3_224_hex(char out[ES_SHA3_224_HEX_MAX], const void *data, size_t len);
int es_sha256_hex(char out[ES_SHA256_HEX_MAX], const void *data, size_t len);

#endif
