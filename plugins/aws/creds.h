/* plugins/aws/creds.h: an access key, and how it travels in one text. */
#ifndef AWS_CREDS_H
#define AWS_CREDS_H

#include <esp/sigv4.h>
#include <esp/text.h>

/* Credentials of AWS, to be wiped. */
struct aws_creds {
    struct esp_text id, secret, token; /* token empty: they are not temporary */
    int64_t expires_unix_ms;           /* 0: never, as far as we know */
};

void aws_creds_init(struct aws_creds *creds);
void aws_creds_free(struct aws_creds *creds);

/* Puts in all three, in place of what was there. Spaces and line ends around them are cut off: they come from
 * files that people write. False: id or secret is empty, or there is no room. */
bool aws_creds_set(struct aws_creds *creds, esp_bytes id, esp_bytes secret, esp_bytes token);

/* Takes over what `from` holds, which is empty then. */
void aws_creds_move(struct aws_creds *creds, struct aws_creds *from);

/* Borrowed. */
struct esp_sigv4_keys aws_creds_keys(const struct aws_creds *creds);

/* One text of all three, for esp_token; the expiry is not part of it. */
void aws_creds_pack(const struct aws_creds *creds, struct esp_text *out);

/* The keys in such a text, borrowed from it. */
struct esp_sigv4_keys aws_creds_unpack(esp_bytes packed);

#endif
