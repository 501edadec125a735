#include "kubeconfig.h"

#include <stdio.h>
#include <string.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "kube.h"
#include "kubeyaml.h"

#define MAX_FIELD ((size_t)256 << 10)

#define TEXTS 8

static void all_texts(struct kube_config *c, struct esp_text *ret[TEXTS])
{
    struct esp_text *texts[TEXTS] = {&c->server, &c->ca,  &c->server_name, &c->token,
                                     &c->cert,   &c->key, &c->username,    &c->password};
    memcpy(ret, texts, sizeof texts);
}

void kube_config_free(struct kube_config *c)
{
    struct esp_text *texts[TEXTS];

    all_texts(c, texts);
    for (size_t i = 0; i < TEXTS; i++)
        esp_text_free(texts[i]);
}

static void init(struct kube_config *c)
{
    struct esp_text *texts[TEXTS];

    c->insecure = false;
    all_texts(c, texts);
    for (size_t i = 0; i < TEXTS; i++)
        esp_text_init(texts[i], MAX_FIELD);
}

/* The text of a member, as it is written; empty when there is none. Names of a kubeconfig are
 * written without escapes. */
static esp_bytes member(esp_bytes object, const char *name)
{
    struct esp_json_iter it;
    size_t len = strlen(name);
    esp_bytes key, value, found = {0};

    if (esp_json_kind(object) != ESP_JSON_OBJECT || !esp_json_members(&it, object))
        return found;
    while (esp_json_next(&it, &key, &value))
        if (key.len == len + 2 && memcmp(key.ptr + 1, name, len) == 0)
            found = esp_json_kind(value) == ESP_JSON_NULL ? (esp_bytes){0} : value;
    return found;
}

static void add_member(esp_bytes object, const char *name, struct esp_text *out)
{
    esp_bytes value = member(object, name);
    if (value.len)
        esp_json_plain(value, out);
}

/* {"name": NAME, "KIND": {...}} among the elements of a list. */
static bool find_entry(esp_bytes config, const char *list, const char *kind, esp_bytes name, esp_bytes *ret)
{
    struct esp_json_iter it;
    esp_bytes array = member(config, list), item;
    struct esp_text own;
    bool found = false;

    if (array.len == 0 || !esp_json_elements(&it, array))
        return false;
    esp_text_init(&own, MAX_FIELD);
    while (!found && esp_json_element(&it, &item)) {
        esp_text_cut(&own, 0);
        add_member(item, "name", &own);
        found = esp_equal(esp_text_bytes(&own), name);
    }
    esp_text_free(&own);
    if (found)
        *ret = member(item, kind);
    return found;
}

/* The context's entry that its member `kind` names. */
static bool follow(esp_bytes config, esp_bytes context, const char *kind, const char *list, esp_bytes *ret,
                   struct esp_text *why)
{
    struct esp_text name;

    esp_text_init(&name, 1024);
    add_member(context, kind, &name);
    bool found = find_entry(config, list, kind, esp_text_bytes(&name), ret);
    if (!found)
        esp_text_addf(why, "the kubeconfig has no %s named \"%s\"", kind, esp_text_str(&name));
    esp_text_free(&name);
    return found;
}

static bool find_context(esp_bytes config, esp_bytes *ret, struct esp_text *why)
{
    struct esp_text name;

    esp_text_init(&name, 1024);
    add_member(config, "current-context", &name);
    bool found = name.len && find_entry(config, "contexts", "context", esp_text_bytes(&name), ret);
    if (name.len == 0)
        esp_text_adds(why, "the kubeconfig has no current-context");
    else if (!found)
        esp_text_addf(why, "the kubeconfig has no context named \"%s\", which is its current-context",
                      esp_text_str(&name));
    esp_text_free(&name);
    return found;
}

/* ---- what cannot work here ---- */

struct refused {
    const char *name, *why;
};

static const struct refused of_cluster[] = {
    {"certificate-authority", "names a file; put the certificate into certificate-authority-data"},
    {"proxy-url", "asks for a proxy of its own; proxies are configured for esod as a whole"},
    {NULL, NULL},
};

static const struct refused of_user[] = {
    {"exec", "runs a program to log in, which a store cannot; use a token, a client certificate, or "
             "auth.serviceAccount"},
    {"auth-provider",
     "uses an auth-provider plugin, which a store cannot; use a token or a client certificate"},
    {"tokenFile", "names a file; put the token into token"},
    {"client-certificate", "names a file; put the certificate into client-certificate-data"},
    {"client-key", "names a file; put the key into client-key-data"},
    {"as", "acts as somebody else; name a user who has the rights himself"},
    {NULL, NULL},
};

/* A file beside the data itself is not needed. */
static bool has_data(esp_bytes entry, const char *name)
{
    char data[64];

    snprintf(data, sizeof data, "%s-data", name);
    return member(entry, data).len > 0;
}

static bool refuse(esp_bytes entry, const char *kind, const struct refused *list, struct esp_text *why)
{
    for (; list->name; list++) {
        if (!member(entry, list->name).len || has_data(entry, list->name))
            continue;
        esp_text_addf(why, "the kubeconfig's %s has %s, which %s", kind, list->name, list->why);
        return true;
    }
    return false;
}

/* ---- fields ---- */

static bool add_base64(esp_bytes entry, const char *name, struct esp_text *out, struct esp_text *why)
{
    struct esp_text encoded;

    esp_text_init(&encoded, KUBE_MAX_KUBECONFIG);
    add_member(entry, name, &encoded);
    bool done = encoded.len == 0 || esp_base64_decode(esp_text_bytes(&encoded), out);
    if (!done)
        esp_text_addf(why, "the kubeconfig's %s is not base64", name);
    esp_text_free(&encoded);
    return done;
}

static bool read_cluster(struct kube_config *ret, esp_bytes cluster, struct esp_text *why)
{
    struct esp_text insecure;

    if (refuse(cluster, "cluster", of_cluster, why))
        return false;
    esp_text_init(&insecure, 16);
    add_member(cluster, "insecure-skip-tls-verify", &insecure);
    ret->insecure = esp_equal_str(esp_text_bytes(&insecure), "true");
    bool failed = esp_text_failed(&insecure);
    esp_text_free(&insecure);
    if (failed) {
        esp_text_adds(why, "the kubeconfig's insecure-skip-tls-verify is neither true nor false");
        return false;
    }
    add_member(cluster, "server", &ret->server);
    add_member(cluster, "tls-server-name", &ret->server_name);
    if (ret->server.len == 0) {
        esp_text_adds(why, "the kubeconfig's cluster has no server");
        return false;
    }
    return add_base64(cluster, "certificate-authority-data", &ret->ca, why);
}

static bool read_user(struct kube_config *ret, esp_bytes user, struct esp_text *why)
{
    /* Of a token and a file for it, kubectl takes the token; of a program and a token too. */
    add_member(user, "token", &ret->token);
    if (ret->token.len == 0 && refuse(user, "user", of_user, why))
        return false;
    if (member(user, "as").len)
        return !refuse(user, "user", of_user, why);
    add_member(user, "username", &ret->username);
    add_member(user, "password", &ret->password);
    if (!add_base64(user, "client-certificate-data", &ret->cert, why) ||
        !add_base64(user, "client-key-data", &ret->key, why))
        return false;
    if (!ret->cert.len == !ret->key.len)
        return true;
    esp_text_adds(why,
                  "the kubeconfig's user has one of client-certificate-data and client-key-data; both are "
                  "needed");
    return false;
}

static bool is_whole(struct kube_config *c, struct esp_text *why)
{
    struct esp_text *texts[TEXTS];
    bool whole = true;

    all_texts(c, texts);
    for (size_t i = 0; i < TEXTS; i++)
        whole = whole && !esp_text_failed(texts[i]);
    if (!whole)
        esp_text_adds(why, "a value of the kubeconfig is larger than 256 KiB, or there is no memory");
    return whole;
}

static bool read_json(struct kube_config *ret, esp_bytes config, struct esp_text *why)
{
    esp_bytes context = {0}, cluster = {0}, user = {0};

    return find_context(config, &context, why) &&
           follow(config, context, "cluster", "clusters", &cluster, why) &&
           follow(config, context, "user", "users", &user, why) && read_cluster(ret, cluster, why) &&
           read_user(ret, user, why) && is_whole(ret, why);
}

static bool is_json(esp_bytes text)
{
    return esp_json_kind(text) == ESP_JSON_OBJECT && esp_json_check(text, NULL);
}

bool kube_config_read(struct kube_config *ret, esp_bytes text, struct esp_text *why)
{
    struct esp_text json;

    init(ret);
    if (text.len > KUBE_MAX_KUBECONFIG) {
        esp_text_adds(why, "the kubeconfig is larger than 1 MiB");
        return false;
    }
    if (is_json(text))
        return read_json(ret, text, why);
    esp_text_init(&json, 4 * KUBE_MAX_KUBECONFIG);
    bool done = kube_yaml_json(text, &json, why) && read_json(ret, esp_text_bytes(&json), why);
    esp_text_free(&json);
    return done;
}
