/* open, close, validate. */
#include "ops.h"

#include <stdlib.h>

#include "metadata.h"

/* ---- the project of the secrets ---- */

static esp_status no_project(struct esp_call *call)
{
    return gcp_fail(call, ESP_E_CONFIG, 0, "unable to find ProjectID in storeSpec: set projectID");
}

/* The metadata server names the project that esod runs in. A key may be of any project,
 * so with one nobody guesses. */
static esp_status ask_project(struct esp_call *call, struct gcp_store *s)
{
    struct esp_text project;

    if (json_object_get(json_object_get(s->spec, "auth"), "secretRef"))
        return no_project(call);
    esp_text_init(&project, GCP_MAX_SMALL);
    esp_status status = gcp_metadata_get(call, "project/project-id", &project);
    if (status == ESP_OK)
        s->project = esp_dup(esp_text_bytes(&project));
    else if (status != ESP_E_CANCELLED)
        status = no_project(call);
    esp_text_free(&project);
    return status;
}

static esp_status find_project(struct esp_call *call, struct gcp_store *s)
{
    const json_t *cluster = json_object_get(json_object_get(s->spec, "auth"), "workloadIdentity");
    esp_bytes given = esp_tree_text(s->spec, "projectID");

    if (given.len == 0)
        given = esp_tree_text(cluster, "clusterProjectID");
    if (given.len == 0)
        return ask_project(call, s);
    s->project = esp_dup(given);
    return ESP_OK;
}

/* ---- the instance ---- */

static esp_status fill(struct esp_call *call, struct gcp_store *s)
{
    s->spec = json_object_get(s->request, "spec");
    s->location = esp_tree_text(s->spec, "location");
    s->falls_back = esp_equal_str(esp_tree_text(s->spec, "secretVersionSelectionPolicy"), "LatestOrFetch");
    esp_status status = gcp_check_request(call, s->request);
    if (status == ESP_OK)
        status = find_project(call, s);
    if (status == ESP_OK && !s->project.ptr)
        status = gcp_no_memory(call);
    return status == ESP_OK ? gcp_identity_open(call, s) : status;
}

void gcp_close(void *instance, struct esp_call *call)
{
    struct gcp_store *s = instance;
    (void)call;

    esp_token_free(s->token);
    gcp_identity_free(&s->identity);
    esp_dup_free(s->project);
    json_decref(s->request);
    free(s);
}

static esp_status get_token(struct gcp_store *s, struct esp_call *call)
{
    struct esp_text token;

    esp_text_init(&token, GCP_MAX_SMALL);
    esp_status status = esp_token_get(s->token, gcp_host, call, gcp_login, s, &token);
    esp_text_free(&token);
    return status;
}

/* Whose credentials are not accepted has no store to begin with. */
esp_status gcp_open(struct esp_call *call, const struct esp_request *req, void **instance)
{
    struct gcp_store *s = calloc(1, sizeof *s);

    if (!s)
        return gcp_no_memory(call);
    s->request = esp_tree_read(req->json);
    s->token = esp_token_new();
    esp_status status = s->request && s->token ? fill(call, s) : gcp_no_memory(call);
    if (status == ESP_OK)
        status = get_token(s, call);
    if (status == ESP_OK)
        *instance = s;
    else
        gcp_close(s, call);
    return status;
}

/* A store works when it gets a token: what that is good for depends on the secret. */
esp_status gcp_validate(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)req;
    return get_token(instance, call);
}
