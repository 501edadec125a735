/* plugins/aws/store.h: an opened store, and what its service does.
 *
 * A store talks to one service. Each service is a table of operations; what they share,
 * documents, batches, what becomes of an answer, is above them in aws.c and batch.c. */
#ifndef AWS_STORE_H
#define AWS_STORE_H

#include <stdatomic.h>

#include "session.h"

/* Bytes of a name at AWS: far above what any service takes, so that AWS says what is wrong with it. */
#define AWS_MAX_ID ((size_t)8192)

struct aws_certificates;

/* One opened store. All but the last two stays as it is until it is closed, so threads may share it. */
struct aws_store {
    const struct aws_service *service;
    struct aws_session *session;
    esp_bytes prefix; /* before every key; not before the path of a find */
    bool force_delete;
    json_int_t recovery_days;              /* 0: AWS decides */
    _Atomic int64_t no_batch_until_ms;     /* wall clock: the right to read several at once is missing */
    struct aws_certificates *certificates; /* of the CertificateManager; else NULL */
};

/* What is to be read. Borrowed from the request. */
struct aws_ref {
    esp_bytes key;     /* as the user wrote it, without the prefix */
    esp_bytes version; /* may be empty */
    bool wants_tags;   /* metadataPolicy: Fetch */
    bool is_id;        /* the key is the name at AWS already: no prefix comes before it */
};

/* What AWS said about one reference. With a status other than ESP_OK, `why` is the sentence for people;
 * it may be empty with ESP_E_NOT_FOUND. */
struct aws_verdict {
    esp_status status;
    char why[1024];
};

/* One of many references. */
struct aws_item {
    struct aws_ref ref;
    size_t index;  /* its place in the request: the key of its value */
    bool is_found; /* of a search instead: its value goes out under ref.key, its failure is the search's */
    bool done;     /* it has been emitted, or its failure told */
};

struct aws_service {
    const char *name;  /* spec.service */
    size_t batch_size; /* what read_some takes at most; 0: there is no such call */

    /* Appends the value to `value`, or says why there is none. Other than ESP_OK: the call as a whole
     * fails, for a reason that has been recorded. */
    esp_status (*read)(struct aws_store *store, struct esp_call *call, const struct aws_ref *ref,
                       struct esp_text *value, struct aws_verdict *verdict);

    /* Whether a reference can be read together with others. */
    bool (*can_batch)(const struct aws_ref *ref);

    /* Asks for several in one call and settles (aws_settle) those of which AWS says something definite;
     * the others are read one by one. *refused: the call as a whole was denied. */
    esp_status (*read_some)(struct aws_store *store, struct esp_call *call, struct aws_item *items,
                            size_t count, bool *refused);

    esp_op list, push, remove; /* the instance is a struct aws_store */
    esp_op exists;             /* NULL: what can be read exists */
    bool pushes_whole;         /* no push looks at a property, so what exists has nothing to do with it */
};

extern const struct aws_service aws_secrets_manager, aws_parameter_store, aws_certificate_manager;

/* Opens what the document of `open` says. *ret is untouched on failure. */
esp_status aws_store_open(struct esp_call *call, const json_t *document, struct aws_store **ret);
void aws_store_close(struct aws_store *store); /* NULL is fine */

/* The service of that name, NULL if there is none. */
const struct aws_service *aws_service_named(esp_bytes name);

/* The name at AWS of what the user calls `key`; to be freed. Failure shows in it. */
void aws_store_id(const struct aws_store *store, esp_bytes key, struct esp_text *id);

/* The same of a reference, without its version. */
void aws_ref_id(const struct aws_store *store, const struct aws_ref *ref, struct esp_text *id);

#endif
