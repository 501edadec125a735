#include "creds.h"

#include <string.h>

#include "text.h"

#define MAX_PART ((size_t)16 << 10) /* session tokens take up to 4 KiB today, and AWS sets no limit */

void aws_creds_init(struct aws_creds *creds)
{
    esp_text_init(&creds->id, MAX_PART);
    esp_text_init(&creds->secret, MAX_PART);
    esp_text_init(&creds->token, MAX_PART);
    creds->expires_unix_ms = 0;
}

void aws_creds_free(struct aws_creds *creds)
{
    esp_text_free(&creds->id);
    esp_text_free(&creds->secret);
    esp_text_free(&creds->token);
}

bool aws_creds_set(struct aws_creds *creds, esp_bytes id, esp_bytes secret, esp_bytes token)
{
    aws_creds_free(creds);
    aws_creds_init(creds);
    esp_text_add(&creds->id, aws_trim(id));
    esp_text_add(&creds->secret, aws_trim(secret));
    esp_text_add(&creds->token, aws_trim(token));
    return creds->id.len && creds->secret.len && !esp_text_failed(&creds->id) &&
           !esp_text_failed(&creds->secret) && !esp_text_failed(&creds->token);
}

void aws_creds_move(struct aws_creds *creds, struct aws_creds *from)
{
    aws_creds_free(creds);
    *creds = *from;
    aws_creds_init(from);
}

struct esp_sigv4_keys aws_creds_keys(const struct aws_creds *creds)
{
    return (struct esp_sigv4_keys){esp_text_bytes(&creds->id), esp_text_bytes(&creds->secret),
                                   esp_text_bytes(&creds->token)};
}

/* None of the three has a line end in it. */
void aws_creds_pack(const struct aws_creds *creds, struct esp_text *out)
{
    esp_text_add(out, esp_text_bytes(&creds->id));
    esp_text_addc(out, '\n');
    esp_text_add(out, esp_text_bytes(&creds->secret));
    esp_text_addc(out, '\n');
    esp_text_add(out, esp_text_bytes(&creds->token));
}

struct esp_sigv4_keys aws_creds_unpack(esp_bytes packed)
{
    struct esp_sigv4_keys keys;
    keys.id = aws_cut(&packed, '\n');
    keys.secret = aws_cut(&packed, '\n');
    keys.token = packed;
    return keys;
}
