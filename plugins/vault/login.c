#include "login.h"

#include <stdio.h>

#include <esp/codec.h>
#include <esp/json.h>

#include "path.h"

#define BODY_MAX (1u << 20)
#define PATH_MAX_BYTES 4096

/* In the order in which they are looked for. */
struct vault_method {
    const char *name;  /* in the block `auth` */
    const char *path;  /* the member that says where it is mounted; NULL: nothing is sent */
    const char *mount; /* what is meant when there is none */
    bool names_user;   /* the URL ends with the user's name */
    bool in_bao;       /* openBao has it too */
    vault_login_body *body;
};

/* ---- pieces ---- */

esp_status vault_secret(struct esp_call *call, const json_t *ref, const char *where, const char *key,
                        esp_bytes *out)
{
    esp_bytes name = esp_tree_text(ref, "name"), entry = esp_tree_text(ref, "key");
    if (entry.len == 0)
        entry = esp_str(key);
    if (name.len == 0 || entry.len == 0)
        return esp_failf(vault_host, call, ESP_E_CONFIG, "%s: %s is missing", where,
                         name.len ? "the key in the Secret" : "the name of a Secret");
    return vault_host->kube_read(call, ESP_KUBE_SECRET, esp_tree_text(ref, "namespace"), name, entry, out);
}

void vault_add_member(struct esp_text *object, const char *name, esp_bytes value)
{
    if (object->len > 1)
        esp_text_addc(object, ',');
    esp_json_quote(esp_str(name), object);
    esp_text_addc(object, ':');
    esp_json_quote(value, object);
}

/* Adds a member with the value that a reference names, without the line end that files have. */
static esp_status add_secret(struct esp_call *call, const json_t *ref, const char *where, const char *member,
                             struct esp_text *body)
{
    esp_bytes value = {0};
    esp_status status = vault_secret(call, ref, where, NULL, &value);
    if (status == ESP_OK)
        vault_add_member(body, member, vault_trimmed(value));
    return status;
}

/* ---- bodies ---- */

static esp_status approle_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    const json_t *block = s->method_block;
    esp_bytes id = vault_trimmed(esp_tree_text(block, "roleId"));
    esp_status status = ESP_OK;
    if (id.len)
        vault_add_member(body, "role_id", id);
    else
        status = add_secret(call, json_object_get(block, "roleRef"), "auth.appRole.roleRef", "role_id", body);
    return status == ESP_OK ? add_secret(call, json_object_get(block, "secretRef"), "auth.appRole.secretRef",
                                         "secret_id", body)
                            : status;
}

/* Passwords may end in white space. */
static esp_status password_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    esp_bytes password = {0};
    char where[64];
    snprintf(where, sizeof where, "auth.%s.secretRef", s->method->name);
    esp_status status =
        vault_secret(call, json_object_get(s->method_block, "secretRef"), where, NULL, &password);
    if (status == ESP_OK)
        vault_add_member(body, "password", password);
    return status;
}

static esp_status cert_body(const struct vault_store *s, struct esp_call *call, struct esp_text *body)
{
    esp_bytes role = esp_tree_text(s->method_block, "vaultRole");
    (void)call;
    if (role.len)
        vault_add_member(body, "name", role);
    return ESP_OK;
}

static const struct vault_method methods[] = {
    {.name = "tokenSecretRef", .in_bao = true},
    {.name = "appRole", .path = "path", .mount = "approle", .in_bao = true, .body = approle_body},
    {.name = "kubernetes", .path = "mountPath", .mount = "kubernetes", .body = vault_kubernetes_body},
    {.name = "ldap", .path = "path", .mount = "ldap", .names_user = true, .body = password_body},
    {.name = "userPass",
     .path = "path",
     .mount = "userpass",
     .names_user = true,
     .in_bao = true,
     .body = password_body},
    {.name = "jwt", .path = "path", .mount = "jwt", .body = vault_jwt_body},
    {.name = "cert", .path = "path", .mount = "cert", .body = cert_body},
    {.name = "iam", .path = "path", .mount = "aws", .body = vault_iam_body},
    {.name = "gcp", .path = "path", .mount = "gcp", .body = vault_gcp_body},
};

/* ---- what a store has ---- */

const struct vault_method *vault_method_of(const json_t *auth, bool is_bao, const json_t **block)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const json_t *found = json_object_get(auth, methods[i].name);
        if (!json_is_object(found) || (is_bao && !methods[i].in_bao))
            continue;
        *block = found;
        return &methods[i];
    }
    return NULL;
}

const char *vault_method_name(const struct vault_method *m)
{
    return m->name;
}

bool vault_method_is_token(const struct vault_method *m)
{
    return m->path == NULL;
}

esp_status vault_static_token(struct vault_store *s, struct esp_call *call, struct esp_text *token)
{
    esp_bytes value = {0};
    esp_status status = vault_secret(call, s->method_block, "auth.tokenSecretRef", NULL, &value);
    if (status == ESP_OK)
        esp_text_add(token, vault_trimmed(value));
    return status;
}

static esp_bytes mount_of(const struct vault_store *s)
{
    esp_bytes mount = esp_tree_text(s->method_block, s->method->path);
    return mount.len ? mount : esp_str(s->method->mount);
}

/* ---- logging in ---- */

static bool add_path(const struct vault_store *s, struct esp_text *path)
{
    esp_bytes user = vault_trimmed(esp_tree_text(s->method_block, "username"));
    esp_text_adds(path, "auth/");
    bool good = vault_encode_path(mount_of(s), path);
    esp_text_adds(path, "/login");
    if (s->method->names_user) {
        esp_text_addc(path, '/');
        esp_percent_add(path, user, NULL);
    }
    return good;
}

static esp_status send_login(struct vault_store *s, struct esp_call *call, esp_bytes body,
                             struct vault_answer *answer)
{
    struct esp_text path;
    esp_text_init(&path, PATH_MAX_BYTES);
    bool good = add_path(s, &path);
    const struct vault_request request = {
        .method = "PUT", .path = esp_text_bytes(&path), .body = body, .is_login = true, .api = "Login"};
    esp_status status;
    if (!good)
        status = esp_failf(vault_host, call, ESP_E_CONFIG, "auth.%s.%s: \"%.*s\" is no mount",
                           s->method->name, s->method->path, ESP_ARG(mount_of(s)));
    else
        status = esp_text_failed(&path) ? vault_no_memory(call) : vault_send(s, call, &request, answer);
    esp_text_free(&path);
    return status;
}

esp_status vault_log_in(struct vault_store *s, struct esp_call *call, struct vault_answer *answer)
{
    struct esp_text body;
    esp_text_init(&body, BODY_MAX);
    esp_text_addc(&body, '{');
    esp_status status = s->method->body(s, call, &body);
    esp_text_addc(&body, '}');
    if (status == ESP_OK && esp_text_failed(&body))
        status = vault_no_memory(call);
    if (status == ESP_OK)
        status = send_login(s, call, esp_text_bytes(&body), answer);
    esp_text_free(&body);
    return status;
}

esp_status vault_login_refused(const struct vault_store *s, const struct vault_answer *answer,
                               struct esp_text *sentence)
{
    char what[80];
    esp_bytes mount = mount_of(s);
    snprintf(what, sizeof what, "cannot log in to Vault with %s at the mount", s->method->name);
    esp_status status = vault_explain(answer, what, mount, sentence);
    /* Who has no token is not told which methods there are. */
    if (vault_says_denied(answer))
        esp_text_adds(sentence, ", or no such method is mounted there");
    return answer->status == 400 ? ESP_E_DENIED : status;
}
