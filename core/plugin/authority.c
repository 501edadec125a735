#include "core/plugin/authority.h"

#include <string.h>

#include "core/base/text.h"
#include "core/http/address.h"
#include "core/plugin/host_pattern.h"

/* Blocks come out of parsers with a limit of their own; this one keeps a
 * caller's mistake from becoming a stack overflow. */
#define MAX_DEPTH 64

static bool is_text(const json_t *value, const char *text)
{
    size_t len = strlen(text);
    return json_is_string(value) && json_string_length(value) == len &&
           memcmp(json_string_value(value), text, len) == 0;
}

typedef bool match_fn(const json_t *value, const void *wanted);

/* Whether some value in the block, at any depth, is what is looked for. */
static bool any_below(const json_t *value, match_fn *match, const void *wanted, int depth)
{
    const char *key;
    json_t *member;
    size_t i;

    if (depth == 0)
        return false;
    if (json_is_object(value))
        json_object_foreach ((json_t *)value, key, member)
            if (any_below(member, match, wanted, depth - 1))
                return true;
    if (json_is_array(value))
        json_array_foreach (value, i, member)
            if (any_below(member, match, wanted, depth - 1))
                return true;
    return match(value, wanted);
}

static bool is_wanted_text(const json_t *value, const void *wanted)
{
    return is_text(value, wanted);
}

bool es_authority_names(const json_t *spec, const char *text)
{
    return *text && any_below(spec, is_wanted_text, text, MAX_DEPTH);
}

int es_authority_namespace(const struct es_authority *who, const char *ns, const char **ret,
                           struct es_error *err)
{
    const char *consumer = who->consumer_namespace ? who->consumer_namespace : "";

    if (!es_streq(who->store_kind, "ClusterSecretStore")) {
        if (es_str_empty(who->store_namespace))
            return es_error_set(err, ES_E_DENIED, "%s %s has no namespace to read from", who->store_kind,
                                who->store_name);
        if (!es_str_empty(ns) && !es_streq(ns, who->store_namespace))
            return es_error_set(err, ES_E_CONFIG,
                                "namespace should either be empty or match the namespace of the SecretStore "
                                "for a namespaced SecretStore");
        *ret = who->store_namespace;
        return 0;
    }
    if (es_str_empty(ns)) {
        if (!*consumer)
            return es_error_set(
                err, ES_E_UNDECIDED,
                "a reference without a namespace is read where the store is used, and nobody uses it yet");
        *ret = consumer;
        return 0;
    }
    if (!es_streq(ns, consumer) && !es_authority_names(who->spec, ns))
        return es_error_set(err, ES_E_DENIED, "ClusterSecretStore %s does not name the namespace \"%s\"",
                            who->store_name, ns);
    *ret = ns;
    return 0;
}

bool es_authority_api_token(const json_t *spec, const char *account)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_object(spec)) {
        if (is_text(json_object_get(spec, "name"), account) &&
            json_array_size(json_object_get(spec, "audiences")) == 0)
            return true;
        json_object_foreach ((json_t *)spec, key, member)
            if (es_authority_api_token(member, account))
                return true;
    }
    if (json_is_array(spec))
        json_array_foreach (spec, i, member)
            if (es_authority_api_token(member, account))
                return true;
    return false;
}

/* ---- hosts ---- */

struct place {
    const char *host;
    int port;
};

/* A URL without a port names the host, as a bare name does: a server that sends
 * from http to https stays the one that was named. */
static bool names_place(const json_t *value, const void *wanted)
{
    const struct place *p = wanted;
    const char *text = json_string_value(value);
    struct es_address a;

    if (!text || strlen(text) != json_string_length(value))
        return false;
    if (!(strstr(text, "://") ? es_address_of_url(&a, text) : es_address_parse(&a, text)))
        return false;
    return es_strieq(a.host, p->host) && (!a.has_port || a.port == p->port);
}

bool es_authority_host(const json_t *spec, const char *const *patterns, const char *host, int port)
{
    const struct place place = {host, port};

    for (; *patterns; patterns++)
        if (es_streq(*patterns, "spec") ? any_below(spec, names_place, &place, MAX_DEPTH)
                                        : es_host_pattern_matches(*patterns, host, port))
            return true;
    return false;
}
