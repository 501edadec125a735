/* Certificate Manager: certificates imported, replaced and deleted. AWS names them, so they are found again
 * by a tag with the name that the user gave. */
#include "certificates.h"
#include "cm.h"
#include "pem.h"
#include "push.h"
#include "search.h"
#include "tags.h"
/* ---- which certificate it is ---- */

static void write_search(struct aws_request *r, esp_bytes name)
{
    aws_json_raw(&r->body, "ResourceTypeFilters", esp_str("[\"acm:certificate\"]"));
    aws_json_raw(&r->body, "TagFilters",
                 esp_str("[{\"Key\":\"" AWS_MANAGED_KEY "\",\"Values\":[\"" AWS_MANAGED_VALUE "\"]},"
                         "{\"Key\":\"" AWS_CM_KEY_TAG "\",\"Values\":["));
    esp_json_quote(name, &r->body);
    esp_text_adds(&r->body, "]}]");
}

/* Keeps the smallest ARN: with two of one name, everybody means the same. */
static void keep_smallest(const json_t *page, struct esp_text *arn)
{
    json_t *found;
    size_t i;

    json_array_foreach (json_object_get(page, "ResourceTagMappingList"), i, found) {
        esp_bytes here = esp_tree_text(found, "ResourceARN");
        if (here.len == 0 || (arn->len && esp_compare(esp_text_bytes(arn), here) <= 0))
            continue;
        esp_text_cut(arn, 0);
        esp_text_add(arn, here);
    }
}

/* By which name, and where the ARN goes. */
struct search {
    esp_bytes name;
    struct esp_text *arn;
};

static esp_status get_page(struct aws_store *store, struct esp_call *call, const void *ctx,
                           struct aws_pages *pages, bool *more)
{
    const struct search *s = ctx;
    struct aws_request r;
    json_t *page = NULL;

    aws_request_begin(&r, &aws_tagging_api, "GetResources", s->name);
    write_search(&r, s->name);
    aws_pages_ask(pages, &r, "PaginationToken");
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r))
        status = aws_request_fail(&r, call);
    if (status == ESP_OK)
        status = (page = aws_request_tree(&r, call)) ? ESP_OK : ESP_E_INTERNAL;
    keep_smallest(page, s->arn);
    if (status == ESP_OK)
        status = aws_pages_turn(pages, call, &r, "PaginationToken", more);
    json_decref(page);
    aws_request_end(&r);
    return status;
}

static void remember(struct aws_store *store, struct esp_call *call, esp_bytes name, esp_bytes arn)
{
    aws_certificates_put(store->certificates, name, esp_str(AWS_CM_KEY_TAG), arn,
                         aws_host->now_unix_ms(call));
}

/* Appends the ARN; nothing when there is no such certificate. */
static esp_status find(struct aws_store *store, struct esp_call *call, esp_bytes name, struct esp_text *arn)
{
    esp_bytes mark = esp_str(AWS_CM_KEY_TAG);

    if (aws_certificates_get(store->certificates, name, mark, aws_host->now_unix_ms(call), arn))
        return esp_text_failed(arn) ? aws_no_memory(call) : ESP_OK;
    esp_status status = aws_search_pages(store, call, get_page, &(struct search){name, arn});
    if (status == ESP_OK && esp_text_failed(arn))
        return aws_no_memory(call);
    if (status == ESP_OK && arn->len)
        remember(store, call, name, esp_text_bytes(arn));
    return status;
}

/* Tags of the certificate: a new reference, NULL when it is gone. */
static esp_status tags_of(struct aws_store *store, struct esp_call *call, esp_bytes arn, json_t **ret)
{
    struct aws_request r;
    json_t *tree = NULL;

    *ret = NULL;
    aws_cm_begin(&r, "ListTagsForCertificate", arn);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        tree = aws_request_tree(&r, call);
        status = tree ? ESP_OK : ESP_E_INTERNAL;
        json_t *list = json_object_get(tree, "Tags");
        *ret = list ? json_incref(list) : json_array();
    } else if (status == ESP_OK && !aws_request_is(&r, "ResourceNotFoundException")) {
        status = aws_request_fail(&r, call);
    }
    json_decref(tree);
    aws_request_end(&r);
    return status;
}

/* ---- push ---- */

struct bundle {
    struct aws_push push;
    struct esp_text leaf, chain;
    esp_bytes key;
};

static esp_bytes value_named(const struct esp_request *req, const char *name)
{
    for (size_t i = 0; i < req->value_count; i++)
        if (esp_equal_str(req->values[i].name, name))
            return req->values[i].value;
    return esp_str("");
}

static esp_status read_bundle(struct bundle *b, struct esp_call *call)
{
    esp_bytes certificate = value_named(b->push.req, "tls.crt");

    b->key = value_named(b->push.req, "tls.key");
    if (esp_tree_text(b->push.document, "secretKey").len)
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "secretKey must be empty for the AWS Certificate Manager provider: the whole "
                         "kubernetes.io/tls secret is required (tls.crt and tls.key)");
    if (certificate.len == 0 || b->key.len == 0)
        return esp_failf(aws_host, call, ESP_E_CONFIG, "key \"%s\" not found or empty in the secret",
                         certificate.len ? "tls.key" : "tls.crt");
    if (!aws_pem_split(certificate, &b->leaf, &b->chain))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "failed to parse \"tls.crt\": it is not one or more certificates in PEM");
    return json_object_set_new(b->push.tags, AWS_CM_KEY_TAG, json_string(esp_text_str(&b->push.id))) == 0
               ? ESP_OK
               : aws_no_memory(call);
}

/* With an empty `arn`, it is a new one, whose ARN is appended to `made`. Tags come with a new one only. */
static esp_status import(struct aws_store *store, struct esp_call *call, const struct bundle *b,
                         esp_bytes arn, struct esp_text *made)
{
    struct aws_request r;

    aws_request_begin(&r, &aws_acm_api, "ImportCertificate", esp_text_bytes(&b->push.id));
    aws_json_base64(&r.body, "Certificate", esp_text_bytes(&b->leaf));
    aws_json_base64(&r.body, "PrivateKey", b->key);
    if (b->chain.len)
        aws_json_base64(&r.body, "CertificateChain", esp_text_bytes(&b->chain));
    if (arn.len)
        aws_json_text(&r.body, "CertificateArn", arn);
    else
        aws_tags_add(&r, "Tags", b->push.tags);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r))
        status = aws_request_fail(&r, call);
    else if (status == ESP_OK)
        esp_json_plain(aws_json_member(r.answer.body, "CertificateArn"), made);
    aws_request_end(&r);
    return status;
}

static esp_status import_new(struct aws_store *store, struct esp_call *call, const struct bundle *b)
{
    struct esp_text arn;

    esp_text_init(&arn, AWS_MAX_ID);
    esp_status status = import(store, call, b, esp_str(""), &arn);
    if (status == ESP_OK && arn.len)
        remember(store, call, esp_text_bytes(&b->push.id), esp_text_bytes(&arn));
    esp_text_free(&arn);
    return status;
}

/* Behind the chain that was imported, AWS may put what it knows of it: the root, or, without a chain, the
 * certificate itself. */
static bool is_same(const struct bundle *b, const struct esp_text *state)
{
    struct esp_text leaf, chain;

    esp_text_init(&leaf, AWS_MAX_TEXT);
    esp_text_init(&chain, AWS_MAX_TEXT);
    bool same = aws_pem_split(esp_text_bytes(state), &leaf, &chain) &&
                esp_equal(esp_text_bytes(&leaf), esp_text_bytes(&b->leaf)) &&
                esp_starts_with(esp_text_bytes(&chain), esp_text_bytes(&b->chain));
    esp_text_free(&leaf);
    esp_text_free(&chain);
    return same;
}

static esp_status send_tags(struct aws_store *store, struct esp_call *call, const char *operation,
                            esp_bytes arn, const json_t *tags)
{
    struct aws_request r;

    aws_cm_begin(&r, operation, arn);
    aws_tags_add(&r, "Tags", tags);
    return aws_request_done(&r, store, call);
}

static esp_status sync_listed(struct aws_store *store, struct esp_call *call, const struct bundle *b,
                              esp_bytes arn, const json_t *list)
{
    json_t *stale = aws_tags_of(list);
    const char *key;
    json_t *value;
    esp_status status = stale ? ESP_OK : aws_no_memory(call);

    json_object_foreach (b->push.tags, key, value)
        json_object_del(stale, key);
    if (status == ESP_OK && json_object_size(stale))
        status = send_tags(store, call, "RemoveTagsFromCertificate", arn, stale);
    if (status == ESP_OK && aws_tags_missing(list, b->push.tags))
        status = send_tags(store, call, "AddTagsToCertificate", arn, b->push.tags);
    json_decref(stale);
    return status;
}

static esp_status sync_tags(struct aws_store *store, struct esp_call *call, const struct bundle *b,
                            esp_bytes arn)
{
    json_t *list = NULL;

    if (json_object_size(json_object_get(b->push.spec, "tags")) == 0)
        return ESP_OK;
    esp_status status = tags_of(store, call, arn, &list);
    if (status == ESP_OK && list)
        status = sync_listed(store, call, b, arn, list);
    json_decref(list);
    return status;
}

static esp_status replace(struct aws_store *store, struct esp_call *call, const struct bundle *b,
                          esp_bytes arn, const struct esp_text *state)
{
    struct esp_text made;
    esp_status status = ESP_OK;

    esp_text_init(&made, AWS_MAX_ID);
    if (!is_same(b, state))
        status = import(store, call, b, arn, &made);
    if (status == ESP_OK)
        status = sync_tags(store, call, b, arn);
    esp_text_free(&made);
    return status;
}

/* A certificate that was remembered may be gone by now. */
static esp_status import_over(struct aws_store *store, struct esp_call *call, const struct bundle *b,
                              esp_bytes arn)
{
    struct aws_verdict verdict = {0};
    struct esp_text state;

    esp_text_init(&state, AWS_MAX_TEXT);
    esp_status status = aws_cm_state(store, call, arn, &state, &verdict);
    if (status == ESP_OK)
        status = aws_tell(call, &verdict);
    if (status == ESP_OK && state.len == 0) {
        aws_certificates_drop(store->certificates, esp_text_bytes(&b->push.id));
        status = import_new(store, call, b);
    } else if (status == ESP_OK) {
        status = replace(store, call, b, arn, &state);
    }
    esp_text_free(&state);
    return status;
}

static esp_status import_bundle(struct aws_store *store, struct esp_call *call, const struct bundle *b)
{
    struct esp_text arn;

    esp_text_init(&arn, AWS_MAX_ID);
    esp_status status = find(store, call, esp_text_bytes(&b->push.id), &arn);
    if (status == ESP_OK)
        status = arn.len ? import_over(store, call, b, esp_text_bytes(&arn)) : import_new(store, call, b);
    esp_text_free(&arn);
    return status;
}

esp_status aws_cm_push(void *instance, struct esp_call *call, const struct esp_request *req)
{
    static const char *const known[] = {"tags", NULL};
    struct bundle b = {0};

    esp_text_init(&b.leaf, AWS_MAX_TEXT);
    esp_text_init(&b.chain, AWS_MAX_TEXT);
    esp_status status = aws_push_begin(&b.push, instance, call, req, known);
    if (status == ESP_OK)
        status = read_bundle(&b, call);
    if (status == ESP_OK)
        status = import_bundle(instance, call, &b);
    esp_text_free(&b.leaf);
    esp_text_free(&b.chain);
    aws_push_end(&b.push);
    return status;
}

/* ---- exists, remove ---- */

/* Finds a certificate and its tags; *list is NULL when there is none. */
static esp_status find_tags(struct aws_store *store, struct esp_call *call, esp_bytes name,
                            struct esp_text *arn, json_t **list)
{
    *list = NULL;
    esp_status status = find(store, call, name, arn);
    if (status != ESP_OK || arn->len == 0)
        return status;
    status = tags_of(store, call, esp_text_bytes(arn), list);
    if (status == ESP_OK && !*list)
        aws_certificates_drop(store->certificates, name);
    return status;
}

static esp_status delete_found(struct aws_store *store, struct esp_call *call, esp_bytes name, esp_bytes arn)
{
    struct aws_request r;

    aws_cm_begin(&r, "DeleteCertificate", arn);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r) && !aws_request_is(&r, "ResourceNotFoundException"))
        status = aws_request_fail(&r, call);
    aws_request_end(&r);
    if (status == ESP_OK)
        aws_certificates_drop(store->certificates, name);
    return status;
}

typedef esp_status on_found(struct aws_store *store, struct esp_call *call, esp_bytes name, esp_bytes arn,
                            const json_t *list);

static esp_status emit_found(struct aws_store *store, struct esp_call *call, esp_bytes name, esp_bytes arn,
                             const json_t *list)
{
    (void)store;
    (void)name;
    (void)arn;
    return aws_host->emit(call, ESP_OUT_VALUE, esp_str(""), esp_str(list ? "true" : "false"));
}

static esp_status delete_managed(struct aws_store *store, struct esp_call *call, esp_bytes name,
                                 esp_bytes arn, const json_t *list)
{
    if (!list)
        return ESP_OK;
    if (!aws_tags_managed(list))
        return esp_failf(aws_host, call, ESP_E_CONFIG, "certificate not managed by external-secrets");
    return delete_found(store, call, name, arn);
}

static esp_status with_found(struct aws_store *store, struct esp_call *call, const struct esp_request *req,
                             on_found *act)
{
    struct esp_text name, arn;
    json_t *list = NULL;
    json_t *document = esp_tree_read(req->json);

    aws_store_id(store, esp_tree_text(document, "remoteKey"), &name);
    esp_text_init(&arn, AWS_MAX_ID);
    esp_status status = !document || esp_text_failed(&name)
                            ? aws_no_memory(call)
                            : find_tags(store, call, esp_text_bytes(&name), &arn, &list);
    if (status == ESP_OK)
        status = act(store, call, esp_text_bytes(&name), esp_text_bytes(&arn), list);
    json_decref(list);
    esp_text_free(&arn);
    esp_text_free(&name);
    json_decref(document);
    return status;
}

esp_status aws_cm_exists(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return with_found(instance, call, req, emit_found);
}

esp_status aws_cm_remove(void *instance, struct esp_call *call, const struct esp_request *req)
{
    return with_found(instance, call, req, delete_managed);
}
