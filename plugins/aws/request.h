/* plugins/aws/request.h: one call of an AWS service, from its first member to what became of it.
 *
 *     struct aws_request r;
 *     aws_request_begin(&r, &aws_ssm, "GetParameter", id);
 *     aws_json_text(&r.body, "Name", id);
 *     esp_status status = aws_request_send(&r, store, call);
 *     if (status == ESP_OK && r.answer.status != 200)
 *         status = aws_request_fail(&r, call);
 *     aws_request_end(&r); */
#ifndef AWS_REQUEST_H
#define AWS_REQUEST_H

#include "json.h"
#include "store.h"

/* How the operations of a service are addressed. */
struct aws_api {
    const char *service; /* of struct aws_ask */
    const char *prefix;  /* of X-Amz-Target, before the operation's name */
};

extern const struct aws_api aws_sm_api, aws_ssm_api, aws_acm_api, aws_tagging_api;

struct aws_request {
    struct aws_ask ask;
    struct aws_answer answer; /* once sent; its body lives as long as the call */
    struct esp_text body;     /* of the object, without the closing brace; wiped at the end */
    char target[96];
};

/* `operation` is a literal; `key` is what texts name, and stays until the end. */
void aws_request_begin(struct aws_request *r, const struct aws_api *api, const char *operation,
                       esp_bytes key);

/* As aws_ask; ESP_E_INTERNAL when there was no memory for the body. */
esp_status aws_request_send(struct aws_request *r, struct aws_store *store, struct esp_call *call);
void aws_request_end(struct aws_request *r);

/* Sends, ends, and takes no answer but 200: for requests whose answer says nothing more. */
esp_status aws_request_done(struct aws_request *r, struct aws_store *store, struct esp_call *call);

bool aws_request_ok(const struct aws_request *r);                   /* answered with 200 */
bool aws_request_is(const struct aws_request *r, const char *code); /* answered with that error */
bool aws_request_denied(const struct aws_request *r);               /* a right is missing */

/* The error that AWS answered with, told to the core: aws_fail. */
esp_status aws_request_fail(const struct aws_request *r, struct esp_call *call);

/* The same, put into a verdict. */
void aws_request_judge(const struct aws_request *r, struct aws_verdict *verdict);

/* The answer as a tree, for what holds no secret. NULL, and the core has been told, without memory. */
json_t *aws_request_tree(const struct aws_request *r, struct esp_call *call);

/* ---- verdicts ---- */

/* A verdict of one's own; returns nothing, so that it can be the last word of a branch. */
void aws_judge(struct aws_verdict *verdict, esp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the core; returns its status. */
esp_status aws_tell(struct esp_call *call, const struct aws_verdict *verdict);

/* Emits the value of an item, or tells why there is none; it is done then. */
esp_status aws_settle(struct esp_call *call, struct aws_item *item, const struct esp_text *value,
                      const struct aws_verdict *verdict);

/* Whether what AWS calls so, a name or an ARN as JSON text, is what the item asks for. */
bool aws_item_is(const struct aws_store *store, const struct aws_item *item, esp_bytes raw);

/* Adds the names of all items as a list, each once. */
void aws_request_add_ids(struct aws_request *r, const struct aws_store *store, const char *name,
                         const struct aws_item *items, size_t count);

/* ---- pages ---- */

/* Follows the tokens of an answer that comes in pages, and notices when they go in circles. */
struct aws_pages {
    struct esp_text token; /* of the page to ask for; empty at the first */
    struct esp_text mark;  /* a token that was seen; zeroes at first, as all of it */
    size_t seen, next_mark;
};

/* Adds NextToken to a request, unless it is for the first page. */
void aws_pages_ask(const struct aws_pages *pages, struct aws_request *r, const char *name);

/* Looks at the answer: *more says whether there is a page to ask for. ESP_E_RETRY when the tokens go in
 * circles. `name` is that of the token's member in the answer. */
esp_status aws_pages_turn(struct aws_pages *pages, struct esp_call *call, const struct aws_request *r,
                          const char *name, bool *more);
void aws_pages_end(struct aws_pages *pages);

#endif
