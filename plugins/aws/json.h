/* plugins/aws/json.h: requests written and answers read without a tree, since both may hold secrets. */
#ifndef AWS_JSON_H
#define AWS_JSON_H

#include <esp/json.h>
#include <esp/text.h>

/* What AWS sends at most, and what is sent to it: a secret has 64 KiB, a page of them some MiB. */
#define AWS_MAX_TEXT ((size_t)16 << 20)

/* Writing an object: `{` and `}` are the caller's, commas come by themselves. */
void aws_json_text(struct esp_text *out, const char *name, esp_bytes value);   /* "name":"value" */
void aws_json_raw(struct esp_text *out, const char *name, esp_bytes raw);      /* "name":raw */
void aws_json_flag(struct esp_text *out, const char *name, bool value);        /* "name":true */
void aws_json_number(struct esp_text *out, const char *name, long long value); /* "name":7 */
void aws_json_base64(struct esp_text *out, const char *name, esp_bytes value); /* "name":"base64" */
void aws_json_item(struct esp_text *out, esp_bytes value);                     /* an element of an array */

/* A member that is looked for: raw is the JSON text of its value, empty when there is none or it is null. */
struct aws_field {
    const char *name;
    esp_bytes raw;
};

/* Finds several members of an object in one walk. False when `object` is none. */
bool aws_json_pick(esp_bytes object, struct aws_field *fields, size_t count);

/* One member, empty when there is none. */
esp_bytes aws_json_member(esp_bytes object, const char *name);

/* Whether `raw` is a JSON string that stands for `text`. */
bool aws_json_is(esp_bytes raw, esp_bytes text);

/* Whether these bytes can be a JSON string without becoming others: UTF-8. */
bool aws_json_can_hold(esp_bytes bytes);

#endif
