/* core/controller/read_terms.h: what an ExternalSecret reads, as terms of an index.
 *
 * Who wants the same key of the same store has the same term. It says a little
 * less than decides: not the property, and not the consumer's namespace where
 * the store is referent. A term in common means that a read *may* serve both. */
#ifndef ES_CONTROLLER_READ_TERMS_H
#define ES_CONTROLLER_READ_TERMS_H

#include <jansson.h>
#include <stdbool.h>

/* The reference to the store that serves an entry of spec.data or spec.dataFrom:
 * its sourceRef's, which overrides the default even when it names no store, or
 * spec.secretStoreRef. Borrowed; may be NULL. */
const json_t *es_entry_store_ref(const json_t *external_secret, const json_t *entry);

/* Long keys are cut: two of them may share a term. */
#define ES_READ_TERM_MAX 1024

/* The term of an entry; false: it reads nothing from a store. */
bool es_read_term(char out[ES_READ_TERM_MAX], const json_t *external_secret, const json_t *entry);

#endif
