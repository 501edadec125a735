/* plugins/vault/entry.c: the stores `vault` and `openBao`: KV engines of HashiCorp Vault and OpenBao.
 *
 *     entry     what the plugin is
 *     open      from a spec to a store        check    what a spec must not say
 *     kv        read, list, write: the operations on secrets, on top of
 *     session   requests with a good token    login    how one is got
 *     request   one request to Vault          answer   what Vault has said
 *     path      keys as paths of the API      fields   secrets as JSON text
 *
 * What a login sends is in login.c, and in a file for each platform whose identities count:
 * login_kubernetes, login_iam with aws_keys, login_gcp. */
#include "fields.h"
#include "kv.h"
#include "login.h"
#include "path.h"

#include <esp/json.h>

#define WORD_MAX 64
#define VALIDATING "error while validating"

extern const char vault_schema[];  /* schema.json, compiled in */
extern const char vault_openbao[]; /* openbao.json */

/* ---- operations of both ---- */

static esp_status check(struct esp_call *call, const struct esp_request *req, bool is_bao)
{
    json_t *request = esp_tree_read(req->json);
    if (!request)
        return vault_no_memory(call);
    esp_status status = vault_check(call, request, is_bao);
    json_decref(request);
    return status;
}

static esp_status check_vault(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    return check(call, req, false);
}

static esp_status check_bao(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    return check(call, req, true);
}

static esp_status open_vault(struct esp_call *call, const struct esp_request *req, void **instance)
{
    return vault_open(call, req, false, instance);
}

static esp_status open_bao(struct esp_call *call, const struct esp_request *req, void **instance)
{
    return vault_open(call, req, true, instance);
}

static esp_status validate_vault(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct vault_answer answer = {0};
    (void)req;
    esp_status status = vault_look_up(instance, call, &answer);
    if (status != ESP_OK || vault_is_good(&answer))
        return status;
    return vault_refused(call, &answer, "invalid vault credentials: looking up the token", esp_str(""));
}

/* ---- OpenBao: is there a KV engine of this version? ---- */

/* A word of the mount's description, as far as it is one: kinds of engines and numbers are, and no more of an
 * answer is quoted. Empty when it is none. */
static void take_word(esp_bytes value, struct esp_text *word)
{
    esp_json_plain(value, word);
    for (size_t i = 0; i < word->len; i++) {
        uint8_t c = word->ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            esp_text_cut(word, 0);
            return;
        }
    }
}

static esp_status check_version(const struct vault_store *s, struct esp_call *call, esp_bytes data)
{
    esp_bytes options, version = esp_str("\"1\"");
    const char *wanted = s->is_v2 ? "2" : "1";
    struct esp_text found;
    esp_status status = ESP_OK;
    if (vault_fields_find(data, "options", &options) && esp_json_kind(options) == ESP_JSON_OBJECT)
        vault_fields_find(options, "version", &version);
    esp_text_init(&found, WORD_MAX);
    take_word(version, &found);
    if (!esp_equal_str(esp_text_bytes(&found), wanted))
        status = esp_failf(vault_host, call, ESP_E_CONFIG, "expected kv engine version %s found version %s",
                           wanted, esp_text_str(&found));
    esp_text_free(&found);
    return status;
}

static esp_status check_mount(const struct vault_store *s, struct esp_call *call, esp_bytes body)
{
    esp_bytes data, type;
    struct esp_text found;
    if (!vault_fields_find(body, "data", &data) || !vault_fields_find(data, "type", &type))
        return esp_failf(vault_host, call, ESP_E_RETRY, VALIDATING " \"%.*s\": the answer is not OpenBao's",
                         ESP_ARG(s->server));
    esp_text_init(&found, WORD_MAX);
    take_word(type, &found);
    esp_status status = esp_equal_str(esp_text_bytes(&found), "kv")
                            ? check_version(s, call, data)
                            : esp_failf(vault_host, call, ESP_E_CONFIG,
                                        "expected mount type \"kv\" found \"%s\"", esp_text_str(&found));
    esp_text_free(&found);
    return status;
}

static esp_status validate_bao(void *instance, struct esp_call *call, const struct esp_request *req)
{
    struct vault_store *s = instance;
    struct vault_answer answer = {0};
    struct esp_text path;
    (void)req;
    esp_text_init(&path, 4096);
    esp_text_adds(&path, "sys/internal/ui/mounts/");
    vault_encode_path(s->mount, &path);
    esp_status status = vault_ask(
        s, call, (struct vault_request){.method = "GET", .path = esp_text_bytes(&path), .api = "ReadMount"},
        &answer);
    esp_text_free(&path);
    if (status != ESP_OK)
        return status;
    return vault_is_good(&answer) ? check_mount(s, call, answer.body)
                                  : vault_refused(call, &answer, VALIDATING, s->server);
}

/* ---- the tables ---- */

#define READS (ESP_CAP_READ | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES | ESP_CAP_FIELDS)

static const struct esp_store_ops vault_ops = {
    .size = sizeof vault_ops,
    .check = check_vault,
    .open = open_vault,
    .close = vault_close,
    .validate = validate_vault,
    .get = vault_get,
    .list = vault_list,
    .exists = vault_exists,
    .push = vault_push,
    .remove = vault_remove,
};

static const struct esp_component vault_component = {
    .size = sizeof vault_component,
    .kind = ESP_KIND_STORE,
    .caps = READS | ESP_CAP_WRITE,
    .maintenance = ESP_MAINTAINED,
    .name = "vault",
    .label = "HashiCorp/Vault",
    .schema = vault_schema,
    .store = &vault_ops,
};

static const struct esp_store_ops bao_ops = {
    .size = sizeof bao_ops,
    .check = check_bao,
    .open = open_bao,
    .close = vault_close,
    .validate = validate_bao,
    .get = vault_get,
    .list = vault_list,
};

static const struct esp_component bao_component = {
    .size = sizeof bao_component,
    .kind = ESP_KIND_STORE,
    .caps = READS,
    .maintenance = ESP_MAINTAINED,
    .name = "openBao",
    .label = "OpenBao",
    .schema = vault_openbao,
    .store = &bao_ops,
};

static const struct esp_component *const components[] = {&vault_component, &bao_component, NULL};

/* For logins with the identity of esod's own pod or machine. */
static const char *const ambient[] = {
    "file:/var/run/secrets/kubernetes.io/serviceaccount/token",
    "env:AWS_*",
    "file:$AWS_WEB_IDENTITY_TOKEN_FILE",
    "file:$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "env:GCE_METADATA_HOST",
    NULL,
};

static const struct esp_plugin vault_plugin = {
    .size = sizeof vault_plugin,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .needs_minor = 1, /* ESP_CAP_FIELDS, wait */
    .name = "vault",
    .version = "1.0.0",
    .components = components,
    .ambient = ambient,
};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    vault_host = services;
    return &vault_plugin;
}
