/* The Query API: a form goes out, XML comes back. */
#include "sts.h"

#include <stdio.h>

#include <esp/codec.h>

#include "exchange.h"
#include "fail.h"
#include "text.h"
#include "xml.h"

#define MAX_FORM ((size_t)256 << 10)

/* ---- forms ---- */

static void add(struct esp_text *form, const char *name, esp_bytes value)
{
    if (form->len)
        esp_text_addc(form, '&');
    esp_text_adds(form, name);
    esp_text_addc(form, '=');
    esp_query_add(form, value);
}

/* "Tags.member.1.Key": lists of forms count from 1. */
static void add_numbered(struct esp_text *form, const char *list, size_t index, const char *member,
                         esp_bytes value)
{
    char name[64];
    snprintf(name, sizeof name, "%s.member.%zu%s", list, index + 1, member);
    add(form, name, value);
}

static void add_tags(struct esp_text *form, const struct aws_role *role)
{
    size_t i;
    json_t *tag, *key;
    json_array_foreach (role->tags, i, tag) {
        add_numbered(form, "Tags", i, ".Key", esp_tree_text(tag, "key"));
        add_numbered(form, "Tags", i, ".Value", esp_tree_text(tag, "value"));
    }
    if (json_array_size(role->tags) == 0)
        return;
    json_array_foreach (role->transitive, i, key)
        add_numbered(form, "TransitiveTagKeys", i, "",
                     esp_span(json_string_value(key), json_string_length(key)));
}

static void begin(struct esp_text *form, const char *action, esp_bytes role, esp_bytes session)
{
    esp_text_init(form, MAX_FORM);
    add(form, "Action", esp_str(action));
    add(form, "Version", esp_str("2011-06-15"));
    add(form, "RoleArn", role);
    add(form, "RoleSessionName", session);
}

/* ---- answers ---- */

static bool read_creds(esp_bytes xml, struct aws_creds *ret)
{
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    struct esp_text texts[4];
    bool ok = true;
    for (size_t i = 0; i < 4; i++) {
        esp_text_init(&texts[i], (size_t)16 << 10);
        ok = ok && aws_xml_text(xml, names[i], &texts[i]) && !esp_text_failed(&texts[i]);
    }
    ok =
        ok &&
        aws_creds_set(ret, esp_text_bytes(&texts[0]), esp_text_bytes(&texts[1]), esp_text_bytes(&texts[2])) &&
        aws_time(esp_text_bytes(&texts[3]), &ret->expires_unix_ms);
    for (size_t i = 0; i < 4; i++)
        esp_text_free(&texts[i]);
    return ok;
}

/* ---- calls ---- */

static esp_status ask(struct aws_run *run, const struct aws_sts *sts, const char *action, esp_bytes role,
                      const struct esp_text *form, const struct esp_sigv4_keys *keys, struct aws_creds *ret)
{
    const esp_pair type = {esp_str("Content-Type"),
                           esp_str("application/x-www-form-urlencoded; charset=utf-8")};
    const struct aws_post post = {.operation = action,
                                  .key = role,
                                  .service = "sts",
                                  .region = sts->region,
                                  .url = sts->url,
                                  .body = esp_text_bytes(form),
                                  .headers = &type,
                                  .header_count = 1};
    struct aws_answer answer;
    if (esp_text_failed(form))
        return aws_because(run, ESP_E_INTERNAL, "out of memory");
    esp_status status = aws_exchange(run, &sts->retry, &post, keys, &answer);
    if (status != ESP_OK)
        return status;
    if (answer.status != 200)
        return aws_because_refused(run, action, role, &answer);
    if (!read_creds(answer.body, ret))
        return aws_because(run, ESP_E_RETRY,
                           "%s of %.*s: the answer of STS holds no credentials; is the endpoint one "
                           "of AWS's?",
                           action, ESP_ARG(role));
    return ESP_OK;
}

esp_status aws_sts_assume(struct aws_run *run, const struct aws_sts *sts, const struct esp_sigv4_keys *keys,
                          const struct aws_role *role, struct aws_creds *ret)
{
    struct esp_text form;
    begin(&form, "AssumeRole", role->arn, esp_str(AWS_SESSION_NAME));
    add(&form, "DurationSeconds", esp_str("900"));
    if (role->external_id.len)
        add(&form, "ExternalId", role->external_id);
    add_tags(&form, role);
    esp_status status = ask(run, sts, "AssumeRole", role->arn, &form, keys, ret);
    esp_text_free(&form);
    return status;
}

esp_status aws_sts_web_identity(struct aws_run *run, const struct aws_sts *sts, esp_bytes role,
                                esp_bytes session, esp_bytes token, struct aws_creds *ret)
{
    struct esp_text form;
    begin(&form, "AssumeRoleWithWebIdentity", role, session);
    add(&form, "WebIdentityToken", token);
    esp_status status = ask(run, sts, "AssumeRoleWithWebIdentity", role, &form, NULL, ret);
    esp_text_free(&form);
    return status;
}
