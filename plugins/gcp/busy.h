/* plugins/gcp/busy.h: which secrets are being written.
 *
 * Adding a version has no etag, so two pushes of properties into one secret would each read
 * the same document and one of them would be lost. Only one push works on a secret at a time; no
 * lock is held meanwhile: the others come again. */
#ifndef GCP_BUSY_H
#define GCP_BUSY_H

#include <stdbool.h>

#include <esp/text.h>

struct gcp_busy;

/* Takes the secret of that path. NULL when somebody else has it, with *memory true, or when there
 * is no memory, with *memory false. Any thread. */
struct gcp_busy *gcp_busy_begin(esp_bytes path, bool *memory);
void gcp_busy_end(struct gcp_busy *taken); /* NULL is fine */

#endif
