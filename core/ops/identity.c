#include "core/ops/identity.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/text.h"

#define HOST_MAX 256
#define UUID_TEXT 37

/* Version 4: random but for six bits. */
static int random_uuid(char out[UUID_TEXT], struct es_error *err)
{
    unsigned char b[16];

    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return es_error_set(err, ES_E_INTERNAL, "the system gives no random numbers");
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(out, UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}

int es_identity_new(char **ret, struct es_error *err)
{
    char host[HOST_MAX] = "", uuid[UUID_TEXT];
    int rc = random_uuid(uuid, err);

    if (rc < 0)
        return rc;
    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        snprintf(host, sizeof host, "esod");
    char *identity = es_strf("%s_%s", host, uuid);
    if (!identity)
        return es_error_nomem(err);
    *ret = identity;
    return 0;
}
