#include "core/secret/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/kube/obj.h"
#include "core/secret/gotext.h"

#define MANAGER_PREFIX "externalsecrets.external-secrets.io/"
#define DEPTH_MAX 512

/* The text is never held as a whole: it goes through a small buffer into the
 * digest, for a Secret of a megabyte would be four in this notation. */
struct rendering {
    EVP_MD_CTX *ctx;
    int failed; /* the first error code */
    size_t len;
    char text[2048];
};

/* Looking an algorithm up takes longer than hashing a small Secret, so it is
 * done once, by whoever comes first; a failure is tried again. */
static const EVP_MD *sha3_224(void)
{
    static _Atomic(EVP_MD *) cached;
    EVP_MD *have = atomic_load(&cached);

    if (have)
        return have;
    EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA3-224", NULL);
    if (!fetched || atomic_compare_exchange_strong(&cached, &have, fetched))
        return fetched;
    EVP_MD_free(fetched);
    return have;
}

static void begin(struct rendering *r)
{
    const EVP_MD *md = sha3_224();

    r->len = 0;
    r->failed = 0;
    r->ctx = EVP_MD_CTX_new();
    if (!r->ctx)
        r->failed = ES_E_NOMEM;
    else if (!md || EVP_DigestInit_ex(r->ctx, md, NULL) != 1)
        r->failed = ES_E_INTERNAL;
}

static void fail(struct rendering *r, int code)
{
    if (!r->failed)
        r->failed = code;
}

static void flush(struct rendering *r)
{
    if (!r->failed && EVP_DigestUpdate(r->ctx, r->text, r->len) != 1)
        r->failed = ES_E_INTERNAL;
    r->len = 0;
}

static void put(struct rendering *r, const char *text, size_t len)
{
    while (len > 0) {
        size_t n = sizeof r->text - r->len;
        if (n > len)
            n = len;
        memcpy(r->text + r->len, text, n);
        r->len += n;
        text += n;
        len -= n;
        if (r->len == sizeof r->text)
            flush(r);
    }
}

static void puts_to(struct rendering *r, const char *text)
{
    put(r, text, strlen(text));
}

/* Digests and their text reveal short values, so nothing of it stays behind. */
static int finish(struct rendering *r, char out[ES_SHA3_224_HEX_MAX], struct es_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    flush(r);
    if (!r->failed && EVP_DigestFinal_ex(r->ctx, digest, &len) != 1)
        r->failed = ES_E_INTERNAL;
    EVP_MD_CTX_free(r->ctx);
    OPENSSL_cleanse(r->text, sizeof r->text);
    switch (r->failed) {
    case 0:
        break;
    case ES_E_NOMEM:
        return es_error_nomem(err);
    case ES_E_INVALID:
        return es_error_set(err, ES_E_INVALID, "secret data is not an object of base64 strings");
    case ES_E_TOO_LARGE:
        return es_error_set(err, ES_E_TOO_LARGE, "object has more than %d levels", DEPTH_MAX);
    default:
        return es_error_set(err, ES_E_INTERNAL, "OpenSSL could not compute SHA3-224");
    }
    es_hex(out, digest, len);
    return 0;
}

static inline size_t put_decimal(char *p, unsigned char byte)
{
    size_t n = 0;

    if (byte >= 100)
        p[n++] = (char)('0' + byte / 100);
    if (byte >= 10)
        p[n++] = (char)('0' + byte / 10 % 10);
    p[n++] = (char)('0' + byte % 10);
    return n;
}

static void put_bytes(struct rendering *r, const unsigned char *bytes, size_t len)
{
    put(r, "[", 1);
    for (size_t i = 0; i < len; i++) {
        if (sizeof r->text - r->len < 4)
            flush(r);
        if (i)
            r->text[r->len++] = ' ';
        r->len += put_decimal(r->text + r->len, bytes[i]);
    }
    put(r, "]", 1);
}

static void put_key(struct rendering *r, const char *key, bool first)
{
    if (!first)
        put(r, " ", 1);
    puts_to(r, key);
    put(r, ":", 1);
}

int es_hash_values(char out[ES_SHA3_224_HEX_MAX], const struct es_values *values, struct es_error *err)
{
    struct rendering r;

    begin(&r);
    puts_to(&r, "map[");
    for (size_t i = 0; i < values->count; i++) {
        put_key(&r, values->items[i].key, i == 0);
        put_bytes(&r, values->items[i].blob.ptr, values->items[i].blob.len);
    }
    puts_to(&r, "]");
    return finish(&r, out, err);
}

static void put_base64(struct rendering *r, const json_t *value, int depth)
{
    struct es_blob blob = {0};
    int rc = 0;
    (void)depth;

    if (json_is_string(value))
        rc =
            es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value), NULL);
    else if (!json_is_null(value))
        rc = ES_E_INVALID;
    if (rc < 0)
        fail(r, rc);
    put_bytes(r, blob.ptr, blob.len);
    es_blob_fini(&blob);
}

typedef void put_member_fn(struct rendering *r, const json_t *value, int depth);

/* map[k:v k2:v2] */
static void put_map(struct rendering *r, const json_t *object, put_member_fn *put_member, int depth)
{
    struct es_go_member *members;
    size_t count;

    if (es_go_members(&members, &count, object) < 0) {
        fail(r, ES_E_NOMEM);
        return;
    }
    puts_to(r, "map[");
    for (size_t i = 0; i < count; i++) {
        put_key(r, members[i].key, i == 0);
        put_member(r, members[i].value, depth + 1);
    }
    puts_to(r, "]");
    es_mem_free(members);
}

int es_hash_secret_data(char out[ES_SHA3_224_HEX_MAX], const json_t *data, struct es_error *err)
{
    struct rendering r;

    begin(&r);
    if (data && !json_is_object(data) && !json_is_null(data))
        fail(&r, ES_E_INVALID);
    put_map(&r, data, put_base64, 0);
    return finish(&r, out, err);
}

static void put_string(struct rendering *r, const json_t *value)
{
    put(r, json_string_value(value), json_string_length(value));
}

static void put_label(struct rendering *r, const json_t *value, int depth)
{
    (void)depth;
    put_string(r, value);
}

int es_synced_version(char out[ES_SYNCED_VERSION_MAX], const json_t *external_secret, struct es_error *err)
{
    char hash[ES_SHA3_224_HEX_MAX];
    struct rendering r;

    begin(&r);
    puts_to(&r, "{annotations:");
    put_map(&r, es_obj_at(external_secret, "metadata", "annotations"), put_label, 0);
    puts_to(&r, " labels:");
    put_map(&r, es_obj_at(external_secret, "metadata", "labels"), put_label, 0);
    puts_to(&r, "}");
    int rc = finish(&r, hash, err);
    if (rc < 0)
        return rc;
    long long generation = es_obj_int(external_secret, "metadata", "generation");
    snprintf(out, ES_SYNCED_VERSION_MAX, "%lld-%s", generation, hash);
    return 0;
}

int es_owner_hash(char out[ES_SHA3_224_HEX_MAX], const char *ns, const char *name, struct es_error *err)
{
    struct rendering r;

    begin(&r);
    puts_to(&r, ns);
    puts_to(&r, "/");
    puts_to(&r, name);
    return finish(&r, out, err);
}

int es_field_manager(char out[ES_FIELD_MANAGER_MAX], const char *name, struct es_error *err)
{
    char hash[ES_SHA3_224_HEX_MAX];

    if (strlen(MANAGER_PREFIX) + strlen(name) <= 63) {
        snprintf(out, ES_FIELD_MANAGER_MAX, MANAGER_PREFIX "%s", name);
        return 0;
    }
    if (es_sha3_224_hex(hash, name, strlen(name)) < 0)
        return es_error_set(err, ES_E_INTERNAL, "OpenSSL could not compute SHA3-224");
    snprintf(out, ES_FIELD_MANAGER_MAX, MANAGER_PREFIX "sha3/%s", hash);
    return 0;
}

static void put_value(struct rendering *r, const json_t *value, int depth);

static void put_array(struct rendering *r, const json_t *array, int depth)
{
    size_t i;
    json_t *one;

    puts_to(r, "[");
    json_array_foreach (array, i, one) {
        if (i)
            puts_to(r, " ");
        put_value(r, one, depth + 1);
    }
    puts_to(r, "]");
}

static void put_number(struct rendering *r, const json_t *value)
{
    char text[ES_GO_FLOAT_MAX];

    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        es_go_float(text, json_real_value(value), ES_GO_GENERAL);
    puts_to(r, text);
}

static void put_value(struct rendering *r, const json_t *value, int depth)
{
    if (depth > DEPTH_MAX) {
        fail(r, ES_E_TOO_LARGE);
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_map(r, value, put_value, depth);
        break;
    case JSON_ARRAY:
        put_array(r, value, depth);
        break;
    case JSON_STRING:
        put_string(r, value);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        put_number(r, value);
        break;
    case JSON_TRUE:
        puts_to(r, "true");
        break;
    case JSON_FALSE:
        puts_to(r, "false");
        break;
    case JSON_NULL:
        puts_to(r, "<nil>");
        break;
    }
}

int es_hash_object(char out[ES_SHA3_224_HEX_MAX], const json_t *object, struct es_error *err)
{
    struct rendering r;
    const json_t *content = es_obj_at(object, "spec");

    if (!content)
        content = es_obj_at(object, "data");
    if (!content)
        return es_error_set(err, ES_E_INVALID,
                            "generic target content does not have a spec or data field for content hashing");
    begin(&r);
    put_value(&r, content, 0);
    return finish(&r, out, err);
}
