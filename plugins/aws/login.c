#include "login.h"

#include <esp/json.h>

#include "chain.h"
#include "session.h"
#include "text.h"

#define MAX_AUDIENCES 16
#define MAX_ANNOTATION ((size_t)256 << 10) /* what Kubernetes takes for all of them */
#define ROLE_PATH "metadata.annotations.eks\\.amazonaws\\.com/role-arn"
#define AUDIENCE_PATH "metadata.annotations.eks\\.amazonaws\\.com/audience"

/* ---- auth.secretRef ---- */

static const json_t *secret_ref(const json_t *spec)
{
    return json_object_get(json_object_get(spec, "auth"), "secretRef");
}

static esp_status read_key(struct esp_call *call, const json_t *refs, const char *name, esp_bytes *ret)
{
    const json_t *ref = json_object_get(refs, name);
    *ret = esp_str("");
    if (!ref)
        return ESP_OK;
    return aws_host->kube_read(call, ESP_KUBE_SECRET, esp_tree_text(ref, "namespace"),
                               esp_tree_text(ref, "name"), esp_tree_text(ref, "key"), ret);
}

static esp_status read_fixed(struct aws_login *login, struct esp_call *call, const json_t *refs)
{
    esp_bytes id, secret, token;
    esp_status status = read_key(call, refs, "accessKeyIDSecretRef", &id);
    if (status == ESP_OK)
        status = read_key(call, refs, "secretAccessKeySecretRef", &secret);
    if (status == ESP_OK)
        status = read_key(call, refs, "sessionTokenSecretRef", &token);
    if (status != ESP_OK)
        return status;
    if (aws_creds_set(&login->fixed, id, secret, token))
        return ESP_OK;
    if (aws_trim(id).len && aws_trim(secret).len)
        return aws_no_memory(call);
    return esp_failf(aws_host, call, ESP_E_CONFIG,
                     "auth.secretRef: the access key ID or the secret access key is empty");
}

/* ---- auth.jwt.serviceAccountRef ---- */

static const json_t *account_ref(const json_t *spec)
{
    const json_t *jwt = json_object_get(json_object_get(spec, "auth"), "jwt");
    return json_object_get(jwt, "serviceAccountRef");
}

/* Where the account is: a ClusterSecretStore may say so, a SecretStore's is beside it. For texts. */
static esp_bytes account_namespace(const json_t *ref, const json_t *document)
{
    esp_bytes ns = esp_tree_text(json_object_get(document, "store"), "namespace");
    if (ns.len == 0)
        ns = esp_tree_text(ref, "namespace");
    return ns.len ? ns : esp_tree_text(document, "namespace");
}

/* Looked up in the text: a tree would be made for two short strings. */
static bool keep_annotation(esp_bytes account, const char *path, const char *otherwise, esp_bytes *ret)
{
    struct esp_text value;
    esp_text_init(&value, MAX_ANNOTATION);
    int found = esp_json_get(account, esp_str(path), ESP_JSON_PATH, &value);
    *ret = esp_dup(found == 1 && value.len ? esp_text_bytes(&value) : esp_str(otherwise));
    esp_text_free(&value);
    return found >= 0 && ret->ptr;
}

/* The account is read when the store is opened, so that another role on it opens the store again. */
static esp_status read_account(struct aws_login *login, struct esp_call *call, const json_t *ref,
                               const json_t *document)
{
    esp_bytes account, name = esp_tree_text(ref, "name"), ns = account_namespace(ref, document);
    esp_status status = aws_host->kube_read(call, ESP_KUBE_SERVICE_ACCOUNT, esp_tree_text(ref, "namespace"),
                                            name, esp_str(""), &account);
    if (status != ESP_OK)
        return status;
    if (!keep_annotation(account, ROLE_PATH, "", &login->role) ||
        !keep_annotation(account, AUDIENCE_PATH, "sts.amazonaws.com", &login->audience))
        return aws_no_memory(call);
    if (login->role.len == 0)
        return esp_failf(
            aws_host, call, ESP_E_CONFIG,
            "an IAM role must be associated with service account %.*s (namespace: %.*s): annotate it with "
            "eks.amazonaws.com/role-arn",
            ESP_ARG(name), ESP_ARG(ns));
    return ESP_OK;
}

static esp_status ask_as_account(const struct aws_login *login, struct aws_run *run, const json_t *ref,
                                 const struct aws_sts *sts, struct aws_creds *ret)
{
    esp_bytes audiences[MAX_AUDIENCES] = {login->audience}, token;
    size_t count = 1, i;
    json_t *more;
    json_array_foreach (json_object_get(ref, "audiences"), i, more)
        if (count < MAX_AUDIENCES)
            audiences[count++] = esp_span(json_string_value(more), json_string_length(more));
    esp_status status = aws_host->sa_token(run->call, esp_tree_text(ref, "namespace"),
                                           esp_tree_text(ref, "name"), audiences, count, 0, &token);
    if (status != ESP_OK)
        return status;
    return aws_sts_web_identity(run, sts, login->role, esp_str(AWS_SESSION_NAME), token, ret);
}

/* ---- tags of the session ---- */

static bool add_tag(json_t *tags, const char *key, json_t *value)
{
    json_t *tag = json_pack("{s:s,s:O}", "key", key, "value", value);
    return tag && json_array_append_new(tags, tag) == 0;
}

static json_t *injected_tags(const json_t *spec, const json_t *document, bool custom)
{
    const json_t *store = json_object_get(document, "store");
    json_t *tags = json_array(), *value;
    const char *key;
    bool ok = tags && add_tag(tags, "esoNamespace", json_object_get(document, "namespace")) &&
              add_tag(tags, "esoStoreName", json_object_get(store, "name")) &&
              add_tag(tags, "esoStoreKind", json_object_get(store, "kind"));
    if (custom)
        json_object_foreach (json_object_get(spec, "customSessionTags"), key, value)
            ok = ok && add_tag(tags, key, value);
    if (!ok) {
        json_decref(tags);
        return NULL;
    }
    return tags;
}

/* The schema has the core open a ClusterSecretStore with such a policy for each namespace by itself
 * (x-esp-per-namespace). While it is only looked at, there is no namespace to log in for. */
static bool is_nobodys(const json_t *spec, const json_t *document)
{
    esp_bytes policy = esp_tree_text(spec, "sessionTagsPolicy");
    return (esp_equal_str(policy, "Simple") || esp_equal_str(policy, "Custom")) &&
           esp_tree_text(document, "namespace").len == 0;
}

/* The policies replace the list: whoever relies on the injected ones must not be fooled by a list that names
 * them. */
static bool take_tags(struct aws_login *login, const json_t *spec, const json_t *document)
{
    esp_bytes policy = esp_tree_text(spec, "sessionTagsPolicy");
    bool custom = esp_equal_str(policy, "Custom");
    if (custom || esp_equal_str(policy, "Simple"))
        login->tags = injected_tags(spec, document, custom);
    else
        login->tags = json_incref(json_object_get(login->spec, "sessionTags"));
    return login->tags || !(custom || esp_equal_str(policy, "Simple"));
}

/* ---- all of it ---- */

esp_status aws_login_init(struct aws_login *login, struct esp_call *call, const json_t *spec,
                          const json_t *document)
{
    aws_creds_init(&login->fixed);
    login->spec = json_incref((json_t *)spec);
    if (!login->spec || !take_tags(login, spec, document))
        return aws_no_memory(call);
    if (is_nobodys(spec, document))
        return ESP_E_UNDECIDED;
    if (account_ref(spec))
        return read_account(login, call, account_ref(spec), document);
    if (secret_ref(spec))
        return read_fixed(login, call, secret_ref(spec));
    return ESP_OK;
}

void aws_login_free(struct aws_login *login)
{
    json_decref(login->tags);
    json_decref(login->spec);
    aws_creds_free(&login->fixed);
    esp_dup_free(login->role);
    esp_dup_free(login->audience);
}

bool aws_login_is_fixed(const struct aws_login *login)
{
    return !account_ref(login->spec) && secret_ref(login->spec) &&
           esp_tree_text(login->spec, "role").len == 0 &&
           json_array_size(json_object_get(login->spec, "additionalRoles")) == 0;
}

static esp_status first_creds(const struct aws_login *login, struct aws_run *run, const struct aws_sts *sts,
                              struct aws_creds *ret)
{
    const struct esp_sigv4_keys fixed = aws_creds_keys(&login->fixed);
    if (account_ref(login->spec))
        return ask_as_account(login, run, account_ref(login->spec), sts, ret);
    if (!secret_ref(login->spec))
        return aws_chain(run, sts, ret);
    return aws_creds_set(ret, fixed.id, fixed.secret, fixed.token)
               ? ESP_OK
               : aws_because(run, ESP_E_INTERNAL, "out of memory");
}

/* One role more: what there is becomes what it gives. */
static esp_status assume(struct aws_run *run, const struct aws_sts *sts, const struct aws_role *role,
                         struct aws_creds *creds)
{
    const struct esp_sigv4_keys keys = aws_creds_keys(creds);
    struct aws_creds next;
    aws_creds_init(&next);
    esp_status status = aws_sts_assume(run, sts, &keys, role, &next);
    if (status == ESP_OK)
        aws_creds_move(creds, &next);
    aws_creds_free(&next);
    return status;
}

esp_status aws_login_run(const struct aws_login *login, struct aws_run *run, const struct aws_sts *sts,
                         struct aws_creds *ret)
{
    size_t i;
    json_t *more;
    esp_status status = first_creds(login, run, sts, ret);
    json_array_foreach (json_object_get(login->spec, "additionalRoles"), i, more) {
        const struct aws_role role = {.arn = esp_span(json_string_value(more), json_string_length(more))};
        if (status == ESP_OK)
            status = assume(run, sts, &role, ret);
    }
    const struct aws_role last = {.arn = esp_tree_text(login->spec, "role"),
                                  .external_id = esp_tree_text(login->spec, "externalID"),
                                  .tags = login->tags,
                                  .transitive = json_object_get(login->spec, "transitiveTagKeys")};
    if (status == ESP_OK && last.arn.len)
        status = assume(run, sts, &last, ret);
    return status;
}
