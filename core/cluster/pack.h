/* core/cluster/pack.h: many texts that look alike, each kept in a tenth of its size.
 *
 * Objects of one kind differ in names, versions and a few values. A pack
 * compresses each of them (Zstandard) against a sample of those that came
 * before, and gives each back by itself. A text that the sample does not help
 * with becomes a part of it, ever more rarely, until the sample is full.
 *
 * The sample lives as long as the pack and is not wiped earlier, and so do
 * traces of what was packed last: not for texts that may hold secrets.
 *
 * Thread-safe. */
#ifndef ES_CLUSTER_PACK_H
#define ES_CLUSTER_PACK_H

#include <stddef.h>

struct es_pack;

struct es_pack *es_pack_new(void); /* NULL without memory */
void es_pack_free(struct es_pack *p);

/* Writes less than `len` bytes to `out`, which has room for `len`, and returns how
 * many; 0 when the text does not get smaller: then keep it as it is. */
size_t es_pack_in(struct es_pack *p, const char *text, size_t len, char *out);

/* What es_pack_in of the same pack was given; `len` is the text's length. 0,
 * ES_E_INVALID when `packed` is no such thing, or ES_E_NOMEM. */
int es_pack_out(struct es_pack *p, const char *packed, size_t packed_len, char *text, size_t len);

#endif
