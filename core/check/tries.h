/* core/check/tries.h: the checks themselves; docs/sdk/esp-check.md says what each one
 * promises. A file for each group. */
#ifndef ES_CHECK_TRIES_H
#define ES_CHECK_TRIES_H

#include "core/check/subject.h"

/* try_file.c */
void es_try_load(struct es_subject *s);
void es_try_exports(struct es_subject *s);
void es_try_symbols(struct es_subject *s);

/* try_tables.c */
void es_try_handshake(struct es_subject *s);
void es_try_schema(struct es_subject *s);
void es_try_capabilities(struct es_subject *s);

/* try_requests.c */
void es_try_sizes(struct es_subject *s);
void es_try_documents(struct es_subject *s);

/* try_time.c */
void es_try_deadline(struct es_subject *s);
void es_try_cancel(struct es_subject *s);

/* try_memory.c */
void es_try_memory(struct es_subject *s);
void es_try_memory_limit(struct es_subject *s);

/* try_answers.c */
void es_try_emit(struct es_subject *s);
void es_try_secrets(struct es_subject *s);
void es_try_http(struct es_subject *s);

/* try_values.c */
void es_try_values(struct es_subject *s);

/* try_rounds.c */
void es_try_concurrency(struct es_subject *s);
void es_try_leaks(struct es_subject *s);
void es_try_residue(struct es_subject *s);

#endif
