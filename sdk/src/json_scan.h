/* sdk/src/json_scan.h: finding the edges of values in JSON text. Private. */
#ifndef ESP_JSON_SCAN_H
#define ESP_JSON_SCAN_H

#include <esp/json.h>

/* A value and the text it is written in. */
struct node {
    enum esp_json_kind kind;
    esp_bytes raw;
};

bool esp_json_is_space(uint8_t c);
esp_bytes esp_json_trim(esp_bytes text);
esp_bytes esp_json_from(esp_bytes text, size_t at); /* the text from `at` on */

/* `at` is on a quote. The offset behind the closing one, 0 if there is none. */
size_t esp_json_string_end(esp_bytes text, size_t at);

/* `at` is on a bracket: the offset behind the one that closes it, or the end of
 * the text. Strings are skipped; round brackets count, for paths have them. */
size_t esp_json_bracket_end(esp_bytes text, size_t at);

/* The next value at or behind *at, past white space, commas and colons; moves
 * *at behind it. False at a closing bracket, the end, or something malformed. */
bool esp_json_value(esp_bytes text, size_t *at, struct node *ret);

/* A whole document as one value. Unlike a member's, the text of an object or
 * array goes on to the end of the document. */
struct node esp_json_document(esp_bytes text);

/* The content of a string, `inner` being the text between the quotes. */
void esp_json_unescape(esp_bytes inner, struct esp_text *out);
esp_bytes esp_json_inner(esp_bytes string);

void esp_json_string_form(const struct node *node, struct esp_text *out);
void esp_json_quote_html(esp_bytes text, struct esp_text *out); /* with < > & U+2028 U+2029 escaped */
void esp_json_quote_go(esp_bytes text, struct esp_text *out);   /* U+2028 U+2029 escaped, as Go does in any case */

/* Reads a decimal number. False, and *ret is 0, when the text is none. */
bool esp_json_double(esp_bytes text, double *ret);

#endif
