/* plugins/vault/fields.h: the fields of a secret, a JSON object, as text. Failure to append shows in `out`.
 */
#ifndef VAULT_FIELDS_H
#define VAULT_FIELDS_H

#include <stdbool.h>

#include <esp/text.h>

/* Appends the value of a whole secret, byte for byte as the reference has it: members sorted, no spaces, and
 * < > & as \u003c \u003e \u0026. False when the object is no JSON, or there is no memory. */
bool vault_fields_value(esp_bytes object, struct esp_text *out);

/* The text of a member, the last of its name, within `object`; false if there is none. For names of the API,
 * which nobody writes with escapes: needs no memory. */
bool vault_fields_find(esp_bytes object, const char *name, esp_bytes *value);

/* The same for any name, written in whatever way: 1, 0 if there is none, -1 without memory. */
int vault_fields_has(esp_bytes object, esp_bytes name, esp_bytes *value);

/* Whether the member of that name is the string `want`: 1, 0, or -1 without memory. */
int vault_fields_is(esp_bytes object, esp_bytes name, esp_bytes want);

/* Appends the object without the member `name`, and, when `value` is not empty, with it as that JSON text.
 * Returns how many members there are. */
size_t vault_fields_set(esp_bytes object, esp_bytes name, esp_bytes value, struct esp_text *out);

/* The number that a text begins with, 18 digits of it at most; 0 if there is none. */
int64_t vault_number(esp_bytes text);

/* Whether both, JSON texts, are the same once they are sorted: 1, 0, or -1 without memory. */
int vault_fields_equal(esp_bytes a, esp_bytes b);

#endif
