/* plugins/aws/tree.h: JSON text as a tree, for what holds no secret. */
#ifndef AWS_TREE_H
#define AWS_TREE_H

#include <jansson.h>

#include <esp/plugin.h>

/* A new reference; NULL when the text is not well-formed, or without memory. jansson's own reader is not
 * used, for without memory it goes on with a part of a string: another key, another secret. */
json_t *aws_tree(esp_bytes json);

/* The document of a request. NULL, and the core has been told, without memory. */
json_t *aws_document(struct esp_call *call, const struct esp_request *req);

#endif
