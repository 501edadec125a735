/* plugins/aws/endpoint.h: where a service of a region answers. */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

/* A service: what it is called where. */
struct aws_service {
    const char *name;         /* in host names and in signatures: "secretsmanager" */
    const char *variables[2]; /* that hold another URL for it; the first that is set counts */
};

/* "secretsmanager", "ssm", "acm", "tagging" or "sts"; NULL: another. */
const struct aws_service *aws_service(const char *name);

/* Whether AWS has, or could have, a region of that name: each of its partitions has a form of names, so that
 * a region that opens tomorrow is known today. */
bool aws_region_known(esp_bytes region);

/* Appends the URL that the region's partition has for the service, with a slash at the end. The region is a
 * known one. */
void aws_endpoint_usual(const struct aws_service *service, esp_bytes region, bool fips, bool dual_stack,
                        struct esp_text *url);

/* The same, unless the environment (as far as it is granted) has another one: the service's variables, then
 * AWS_ENDPOINT_URL; AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT choose among the usual ones.
 * ESP_E_CONFIG: a variable that holds no http or https URL. */
esp_status aws_endpoint(struct esp_call *call, const struct aws_service *service, esp_bytes region,
                        struct esp_text *url);

#endif
