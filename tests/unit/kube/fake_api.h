/* tests/unit/kube/fake_api.h: starts fake_api.py and a client for it. */
#ifndef ES_TESTS_FAKE_API_H
#define ES_TESTS_FAKE_API_H

#include <jansson.h>
#include <sys/types.h>

#include "core/http/http.h"
#include "core/kube/client.h"

struct fake_api {
    pid_t pid;
    int in; /* its stdin: it ends when this is closed */
    int port;
    struct es_http *http;
    struct es_kube *kube;
    char dir[64]; /* holds kubeconfig and token; removed at the end */
};

/* `user`: the kubeconfig's user as YAML flow, e.g. "{token: x}"; $DIR in it
 * stands for the directory. Fails the test when something goes wrong. */
struct fake_api *fake_api_new(const char *scenario, const char *user, const struct es_kube_opts *opts);
void fake_api_free(struct fake_api *api);

void fake_api_write(const struct fake_api *api, const char *name, const char *text, int mode);

/* The requests so far: [{method, path, query: {...}, body, at}]. */
json_t *fake_api_log(struct fake_api *api);

#endif
