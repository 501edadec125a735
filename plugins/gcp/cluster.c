/* Workload Identity of GKE: a token of a Kubernetes service account for the pool of the
 * cluster's project is traded for one of Google's. */

#include <esp/json.h>

#include "endpoints.h"
#include "metadata.h"
#include "proofs.h"

#define TOKEN_LIFE_S 900
#define MAX_AUDIENCES 32

/* ---- Kubernetes ---- */

esp_status gcp_cluster_ask(struct esp_call *call, const json_t *ref, esp_bytes audience, esp_bytes *token)
{
    esp_bytes audiences[MAX_AUDIENCES];
    size_t count = 0, i;
    json_t *more;

    if (audience.len)
        audiences[count++] = audience;
    json_array_foreach (json_object_get(ref, "audiences"), i, more)
        if (count < MAX_AUDIENCES)
            audiences[count++] = esp_span(json_string_value(more), json_string_length(more));
    return gcp_host->sa_token(call, esp_tree_text(ref, "namespace"), esp_tree_text(ref, "name"), audiences,
                              count, TOKEN_LIFE_S, token);
}

esp_status gcp_annotation_read(struct esp_call *call, const json_t *ref, struct gcp_identity *id)
{
    esp_bytes json = {0};

    esp_status status = gcp_host->kube_read(call, ESP_KUBE_SERVICE_ACCOUNT, esp_tree_text(ref, "namespace"),
                                            esp_tree_text(ref, "name"), esp_str(""), &json);
    if (status != ESP_OK)
        return status;
    json_t *account = esp_tree_read(json);
    if (!account)
        return gcp_no_memory(call);
    esp_bytes email = esp_tree_text(json_object_get(json_object_get(account, "metadata"), "annotations"),
                                    "iam.gke.io/gcp-service-account");
    bool done = email.len == 0 || gcp_identity_impersonate(id, email);
    json_decref(account);
    return done ? ESP_OK : gcp_no_memory(call);
}

/* ---- the cluster's names ---- */

/* What the spec says of the cluster, or else what the metadata server does. */
static esp_status name_of(struct esp_call *call, const json_t *block, const char *member, const char *path,
                          const char *what, struct esp_text *out)
{
    esp_bytes given = esp_tree_text(block, member);

    if (given.len) {
        esp_text_add(out, given);
        return esp_text_failed(out) ? gcp_no_memory(call) : ESP_OK;
    }
    esp_status status = gcp_metadata_get(call, path, out);
    if (status == ESP_OK || status == ESP_E_CANCELLED)
        return status;
    return gcp_fail(call, ESP_E_CONFIG, 0,
                    "unable to lookup workload identity: unable to determine %s: nothing around esod tells; "
                    "set auth.workloadIdentity.%s",
                    what, member);
}

struct names {
    struct esp_text project, location, cluster;
};

static esp_status find_names(struct esp_call *call, const json_t *block, struct names *n)
{
    esp_status status =
        name_of(call, block, "clusterProjectID", "project/project-id", "cluster project", &n->project);
    if (status == ESP_OK)
        status = name_of(call, block, "clusterLocation", "instance/attributes/cluster-location",
                         "cluster location", &n->location);
    if (status == ESP_OK)
        status = name_of(call, block, "clusterName", "instance/attributes/cluster-name", "cluster name",
                         &n->cluster);
    return status;
}

static esp_status set_names(struct esp_call *call, const struct names *n, struct gcp_identity *id)
{
    struct esp_text pool, audience;

    esp_text_init(&pool, GCP_MAX_SMALL);
    esp_text_init(&audience, GCP_MAX_SMALL);
    esp_text_addf(&pool, "%s.svc.id.goog", esp_text_str(&n->project));
    esp_text_addf(
        &audience,
        "identitynamespace:%s:https://container.googleapis.com/v1/projects/%s/locations/%s/clusters/%s",
        esp_text_str(&pool), esp_text_str(&n->project), esp_text_str(&n->location),
        esp_text_str(&n->cluster));
    bool done = !esp_text_failed(&pool) && !esp_text_failed(&audience) &&
                gcp_identity_set(id, GCP_POOL, esp_text_bytes(&pool)) &&
                gcp_identity_set(id, GCP_AUDIENCE, esp_text_bytes(&audience));
    esp_text_free(&pool);
    esp_text_free(&audience);
    return done ? ESP_OK : gcp_no_memory(call);
}

esp_status gcp_cluster_open(struct esp_call *call, const json_t *block, struct gcp_identity *id)
{
    struct names n;

    id->proof = GCP_BY_CLUSTER;
    esp_status status = gcp_annotation_read(call, json_object_get(block, "serviceAccountRef"), id);
    if (status != ESP_OK)
        return status;
    esp_text_init(&n.project, GCP_MAX_SMALL);
    esp_text_init(&n.location, GCP_MAX_SMALL);
    esp_text_init(&n.cluster, GCP_MAX_SMALL);
    status = find_names(call, block, &n);
    if (status == ESP_OK)
        status = set_names(call, &n, id);
    esp_text_free(&n.project);
    esp_text_free(&n.location);
    esp_text_free(&n.cluster);
    return status;
}

/* ---- token ---- */

static void write_exchange(const struct gcp_identity *id, esp_bytes subject, struct esp_text *body)
{
    esp_text_adds(body, "{\"grant_type\":\"urn:ietf:params:oauth:grant-type:token-exchange\","
                        "\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
                        "\"requested_token_type\":\"urn:ietf:params:oauth:token-type:access_token\","
                        "\"scope\":\"" GCP_SCOPE "\",\"audience\":");
    esp_json_quote(id->facts[GCP_AUDIENCE], body);
    esp_text_adds(body, ",\"subject_token\":");
    esp_json_quote(subject, body);
    esp_text_addc(body, '}');
}

esp_status gcp_cluster_token(const struct gcp_store *s, struct esp_call *call, struct gcp_got *got)
{
    const json_t *block = json_object_get(json_object_get(s->spec, "auth"), "workloadIdentity");
    struct esp_text url, body;
    esp_bytes subject = {0};

    esp_status status = gcp_cluster_ask(call, json_object_get(block, "serviceAccountRef"),
                                        s->identity.facts[GCP_POOL], &subject);
    if (status != ESP_OK)
        return status;
    esp_text_init(&url, GCP_MAX_SMALL);
    esp_text_init(&body, GCP_MAX_SMALL);
    esp_text_add(&url, gcp_endpoint(GCP_SECURETOKEN));
    esp_text_adds(&url, "/v1/identitybindingtoken");
    write_exchange(&s->identity, subject, &body);
    status = gcp_grant(call,
                       &(struct gcp_grant){.what = "unable to fetch identitybindingtoken: securetoken",
                                           .api = "GenerateIDBindToken",
                                           .url = &url,
                                           .type = GCP_JSON,
                                           .body = &body},
                       got);
    esp_text_free(&url);
    esp_text_free(&body);
    return status;
}
