/** @file esp/json.h
 * Reading JSON text in place, and looking properties up in it.
 *
 * For secrets that are JSON documents. Everything works on the text as it was
 * written, without a tree: nothing is copied that is not asked for, and what
 * is copied on the way to a result is wiped. Lengths rule; a NUL is a byte.
 *
 * A lookup reads as far as it needs to and does not judge the rest: whoever
 * wants a well-formed document asks esp_json_check. Numbers are read in the C
 * locale, which neither the core nor a plugin leaves. */
#ifndef ESP_JSON_H
#define ESP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_json Toolkit: JSON
 * Request documents and secrets that are JSON, read without a tree: esp/json.h.
 * @{ */

/** @name Ceilings of one lookup
 * A lookup that meets one fails.
 * @{ */
#define ESP_JSON_MAX_DEPTH 128           /**< Nesting of containers that are walked and of paths in paths. */
#define ESP_JSON_MAX_PATH 16384          /**< Bytes of a path. */
#define ESP_JSON_MAX_DERIVED (16u << 20) /**< Bytes of documents made on the way (multipaths, modifiers). */
#define ESP_JSON_MAX_WORK (128u << 20)   /**< Bytes looked at. */
/** @} */

/** What a value is. */
enum esp_json_kind {
    ESP_JSON_NONE = 0, /**< There is no value. */
    ESP_JSON_NULL,     /**< null */
    ESP_JSON_FALSE,    /**< false */
    ESP_JSON_TRUE,     /**< true */
    ESP_JSON_NUMBER,   /**< A number. */
    ESP_JSON_STRING,   /**< A string. */
    ESP_JSON_OBJECT,   /**< An object. */
    ESP_JSON_ARRAY     /**< An array. */
};

/** How a property is read when it could be the name of a member or a path. */
enum esp_json_order {
    ESP_JSON_PATH,          /**< A path, nothing else. */
    ESP_JSON_ESCAPED_FIRST, /**< With each dot taken as part of a name; if that is not there, a path. */
    ESP_JSON_PATH_FIRST     /**< The other way round. */
};

/** Appends what `property` selects in the document `json` to `out`, in string
 * form: a string without quotes and escapes, an integer as written, any other
 * number in its shortest decimal form without exponent (1.50 -> 1.5, 1e3 ->
 * 1000), true, false, nothing for null, an object or array as written.
 *
 * Returns 1 if there is such a value, 0 if not, -1 if there is no memory, `out`
 * is full, or a ceiling was met; `out` is as before unless 1 is returned.
 *
 * The path language is gjson's (github.com/tidwall/gjson, SYNTAX.md, v1.18):
 *
 *     name.last  a\.b.c  child*.2  c?ild.0     names, escapes, wildcards, indexes
 *     list.#  list.#.name                      count; one member of each element
 *     list.#(age>45).name  list.#(name%"D*")#  first match; all matches
 *                                              = == != < <= > >= % !%, ~true ~false ~null ~*
 *     a|b                                      goes on with the result so far
 *     {a,"x":b.c}  [a,b]                       a new object, a new array
 *     !"text"  !{"a":1}                        a literal
 *     @this @reverse @flatten @join @keys @values @tostr @fromstr @ugly @pretty
 *     @valid @group @dig                       modifiers, some with an argument @flatten:{"deep":true}
 *     ..#  ..1.name                            the document read as JSON lines
 *
 * It differs where gjson guesses: what is no JSON value (nan, inf) ends the search, a
 * malformed number or escape comes out as written (gjson: 0, the string cut short),
 * and an escaped wildcard stays literal beside others. */
int esp_json_get(esp_bytes json, esp_bytes property, enum esp_json_order order, struct esp_text *out);

/** The same, but appends the JSON text of the value as written (a string keeps
 * its quotes), and says what it is. *kind may be NULL. */
int esp_json_get_raw(esp_bytes json, esp_bytes path, struct esp_text *out, enum esp_json_kind *kind);

/** Whether the whole text is one well-formed JSON value (RFC 8259), nested no
 * deeper than ESP_JSON_MAX_DEPTH. If not, *at (may be NULL) is the offset
 * where it stops being one. */
bool esp_json_check(esp_bytes json, size_t *at);

/** What the first value of the text is, by its first byte. */
enum esp_json_kind esp_json_kind(esp_bytes json);

/** A walk through the members of an object in the order they are written, each as the text it
 * is written in: the key with its quotes. Nothing is copied, all is borrowed
 * from the document. A name may come twice; readers of JSON let the last win.
 *
 *     struct esp_json_iter it;
 *     if (!esp_json_members(&it, json))
 *         return not_an_object();
 *     while (esp_json_next(&it, &key, &value)) {
 *         esp_json_plain(key, &name);
 *         esp_json_plain(value, &secret);
 *         ...
 *     } */
struct esp_json_iter {
    esp_bytes text; /**< The document. */
    size_t at;      /**< Where the walk is, in bytes. */
};

/** Begins a walk. False unless the whole text is well-formed and an object, or
 * null, which counts as an object without members. */
bool esp_json_members(struct esp_json_iter *it, esp_bytes json);

/** The next member, or false when there is none, and then key and value stay as they are. */
bool esp_json_next(struct esp_json_iter *it, esp_bytes *key, esp_bytes *value);

/** Begins a walk through the elements of an array. False unless the whole text is well-formed
 * and an array, or null, which counts as an array without elements. */
bool esp_json_elements(struct esp_json_iter *it, esp_bytes json);

/** The next element as written, or false when there is none, and then value stays as it is. */
bool esp_json_element(struct esp_json_iter *it, esp_bytes *value);

/** Appends one value as a Kubernetes Secret holds a member of a JSON object: a
 * string without quotes and escapes, nothing for null, and the text as written
 * (2.50 stays 2.50) for everything else. Failure shows in `out`. */
void esp_json_plain(esp_bytes value, struct esp_text *out);

/** Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become
 * U+FFFD; < > & stay as they are. */
void esp_json_quote(esp_bytes text, struct esp_text *out);

/** Appends the document with `value`, JSON text, at `path`, for a push into a property.
 * What is missing on the way is made: objects, or an array where the next name is a
 * number. The rest of the document stays as it is written. Paths are those of
 * github.com/tidwall/sjson (v1.2) that name one place:
 *     a.b.0       members and elements; an array grows, with nulls, as far as needed
 *     list.-1     one more element
 *     a\.b  a.:1   a dot in a name; a name that is a number
 * Returns 1; 0 when the path names no place (empty, wildcards and queries, a name in an array,
 * an index above 10000, deeper than ESP_JSON_MAX_DEPTH); -1 when there is no memory or
 * `out` is full. `out` is as before unless 1 is returned. `json` must be a
 * document (esp_json_check) or empty. */
int esp_json_set(esp_bytes json, esp_bytes path, esp_bytes value, struct esp_text *out);

/** Appends the pairs as one JSON object of strings, sorted by name, as Go's encoding/json
 * prints one without escaping for HTML: what a push of a whole Secret sends. With
 * `base64`, each value is base64 text. Failure shows in `out`. */
void esp_json_values(const esp_pair *values, size_t count, bool base64, struct esp_text *out);

/** Appends the document as Go's encoding/json prints it after reading it with numbers kept
 * as written, and without escaping for HTML: members sorted, no spaces, of two members of
 * one name the last. False, and `out` as it was, when it is not well-formed or there
 * is no memory. */
bool esp_json_sorted(esp_bytes json, struct esp_text *out);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
