/* Certificate Manager: its table, and a certificate exported with its key. */
#include "cm.h"

#include <esp/codec.h>

#include "certificates.h"
#include "pem.h"

#define PASSPHRASE_LEN 32

static esp_status export(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                         struct esp_text *value, struct aws_verdict *verdict);

static bool can_batch(const struct aws_ref *ref)
{
    (void)ref;
    return false;
}

static esp_status list(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    (void)req;
    return esp_failf(aws_host, call, ESP_E_UNSUPPORTED,
                     "operation not supported by AWS Certificate Manager provider");
}

const struct aws_service aws_certificate_manager = {
    .name = "CertificateManager",
    .read = export,
    .can_batch = can_batch,
    .list = list,
    .exists = aws_cm_exists,
    .push = aws_cm_push,
    .remove = aws_cm_remove,
};

void aws_cm_begin(struct aws_request *r, const char *operation, esp_bytes arn)
{
    aws_request_begin(r, &aws_acm_api, operation, arn);
    aws_json_text(&r->body, "CertificateArn", arn);
}

/* Appends a member of the answer, without line ends behind it. */
static void add_member(esp_bytes object, const char *name, struct esp_text *out)
{
    size_t before = out->len;

    esp_json_plain(aws_json_member(object, name), out);
    if (!esp_text_failed(out))
        esp_text_cut(out, before + aws_pem_trim(esp_span(out->ptr + before, out->len - before)).len);
}

esp_status aws_cm_state(struct aws_store *store, struct esp_call *call, esp_bytes arn, struct esp_text *state,
                        struct aws_verdict *verdict)
{
    struct aws_request r;

    aws_cm_begin(&r, "GetCertificate", arn);
    esp_status status = aws_request_send(&r, store, call);
    if (status == ESP_OK && aws_request_ok(&r)) {
        add_member(r.answer.body, "Certificate", state);
        esp_text_addc(state, '\n');
        add_member(r.answer.body, "CertificateChain", state);
        status = esp_text_failed(state) ? aws_no_memory(call) : ESP_OK;
    } else if (status == ESP_OK && !aws_request_is(&r, "ResourceNotFoundException")) {
        aws_request_judge(&r, verdict);
    }
    aws_request_end(&r);
    return status;
}

static esp_status check_exportable(struct aws_store *store, struct esp_call *call, esp_bytes arn,
                                   struct aws_verdict *verdict)
{
    struct aws_request r;

    aws_cm_begin(&r, "DescribeCertificate", arn);
    esp_status status = aws_request_send(&r, store, call);
    esp_bytes options = aws_json_member(aws_json_member(r.answer.body, "Certificate"), "Options");
    if (status == ESP_OK && !aws_request_ok(&r))
        aws_request_judge(&r, verdict);
    else if (status == ESP_OK && !aws_json_is(aws_json_member(options, "Export"), esp_str("ENABLED")))
        aws_judge(verdict, ESP_E_CONFIG, "certificate %.*s is not exportable (Options.Export is not ENABLED)",
                  ESP_ARG(arn));
    aws_request_end(&r);
    return status;
}

/* Letters and digits, each as likely as any other. */
static esp_status make_passphrase(struct esp_call *call, uint8_t passphrase[PASSPHRASE_LEN])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const size_t count = sizeof letters - 1;
    size_t have = 0;

    while (have < PASSPHRASE_LEN) {
        uint8_t chance;
        esp_status status = aws_host->random(call, &chance, 1);
        if (status != ESP_OK)
            return status;
        if (chance < 256 / count * count)
            passphrase[have++] = (uint8_t)letters[chance % count];
    }
    return ESP_OK;
}

/* Appends certificate, chain and key of an answer to ExportCertificate, each ending in a line end. */
static bool add_bundle(esp_bytes body, esp_bytes passphrase, struct esp_text *out)
{
    static const char *const parts[] = {"Certificate", "CertificateChain"};
    struct esp_text key;

    for (size_t i = 0; i < 2; i++) {
        size_t before = out->len;
        add_member(body, parts[i], out);
        if (out->len > before)
            esp_text_addc(out, '\n');
    }
    esp_text_init(&key, AWS_MAX_TEXT);
    esp_json_plain(aws_json_member(body, "PrivateKey"), &key);
    bool ok = aws_pem_decrypt(esp_text_bytes(&key), passphrase, out);
    esp_text_free(&key);
    return ok;
}

static esp_status send_export(struct aws_store *store, struct esp_call *call, esp_bytes arn,
                              struct esp_text *value, struct aws_verdict *verdict)
{
    uint8_t passphrase[PASSPHRASE_LEN];
    struct aws_request r;

    esp_status status = make_passphrase(call, passphrase);
    if (status != ESP_OK)
        return status;
    aws_cm_begin(&r, "ExportCertificate", arn);
    aws_json_base64(&r.body, "Passphrase", esp_span(passphrase, sizeof passphrase));
    status = aws_request_send(&r, store, call);
    if (status == ESP_OK && !aws_request_ok(&r))
        aws_request_judge(&r, verdict);
    else if (status == ESP_OK && !add_bundle(r.answer.body, esp_span(passphrase, sizeof passphrase), value))
        aws_judge(verdict, ESP_E_RETRY, "failed to decrypt exported private key of %.*s", ESP_ARG(arn));
    aws_request_end(&r);
    esp_wipe(passphrase, sizeof passphrase);
    return status;
}

static esp_status export_anew(struct aws_store *store, struct esp_call *call, esp_bytes arn, esp_bytes state,
                              struct esp_text *value, struct aws_verdict *verdict)
{
    esp_status status = check_exportable(store, call, arn, verdict);
    if (status == ESP_OK && verdict->status == ESP_OK)
        status = send_export(store, call, arn, value, verdict);
    if (status == ESP_OK && verdict->status == ESP_OK)
        aws_certificates_put(store->certificates, arn, state, esp_text_bytes(value),
                             aws_host->now_unix_ms(call));
    return status;
}

/* Appends what was kept for this state of the certificate, or exports it. */
static esp_status export_once(struct aws_store *store, struct esp_call *call, esp_bytes arn, esp_bytes state,
                              struct esp_text *value, struct aws_verdict *verdict)
{
    if (!aws_certificates_get(store->certificates, arn, state, aws_host->now_unix_ms(call), value))
        return export_anew(store, call, arn, state, value, verdict);
    return esp_text_failed(value) ? aws_no_memory(call) : ESP_OK;
}

/* The key is the certificate's ARN as it stands. That there is none is a mistake: nobody deletes a
 * certificate and wants the Secrets to follow. */
static esp_status export(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                         struct esp_text *value, struct aws_verdict *verdict)
{
    struct esp_text state;

    if (ref->key.len == 0) {
        aws_judge(verdict, ESP_E_CONFIG, "certificate ARN must be specified in remoteRef.key");
        return ESP_OK;
    }
    esp_text_init(&state, AWS_MAX_TEXT);
    esp_status status = aws_cm_state(store, call, ref->key, &state, verdict);
    if (status == ESP_OK && verdict->status == ESP_OK && state.len == 0)
        aws_judge(verdict, ESP_E_CONFIG, "failed to get certificate %.*s: certificate not found",
                  ESP_ARG(ref->key));
    else if (status == ESP_OK && verdict->status == ESP_OK)
        status = export_once(store, call, ref->key, esp_text_bytes(&state), value, verdict);
    esp_text_free(&state);
    return status;
}
