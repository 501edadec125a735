#include "endpoint.h"

#include <string.h>

#include "ambient.h"
#include "session.h"

/* ---- services ---- */

static const struct aws_service services[] = {
    {"secretsmanager", {"AWS_SECRETSMANAGER_ENDPOINT", "AWS_ENDPOINT_URL_SECRETS_MANAGER"}},
    {"ssm", {"AWS_SSM_ENDPOINT", "AWS_ENDPOINT_URL_SSM"}},
    {"acm", {"AWS_ACM_ENDPOINT", "AWS_ENDPOINT_URL_ACM"}},
    {"tagging", {"AWS_RESOURCE_GROUPS_TAGGING_API_ENDPOINT", "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API"}},
    {"sts", {"AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS"}},
};

const struct aws_service *aws_service(const char *name)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    return NULL;
}

/* ---- partitions ---- */

/* A part of AWS with names and accounts of its own. */
struct partition {
    const char *name;
    const char *suffix, *dual_stack_suffix;
    const char *prefixes; /* of its regions, with spaces around each; a word and a number follow */
};

/* Those with the longer prefixes first: us-gov-west-1 is not a region "us" of the word "gov". */
static const struct partition partitions[] = {
    {"aws-us-gov", "amazonaws.com", "api.aws", " us-gov "},
    {"aws-iso", "c2s.ic.gov", "api.aws.ic.gov", " us-iso "},
    {"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", " us-isob "},
    {"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", " eu-isoe "},
    {"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", " us-isof "},
    {"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", " eusc-de "},
    {"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", " cn "},
    {"aws", "amazonaws.com", "api.aws", " us eu ap sa ca me af il mx "},
};

static bool is_word(esp_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 'a' || text.ptr[i] > 'z')
            return false;
    return text.len > 0;
}

static bool is_number(esp_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

/* The length of `text` before its last dash; 0 when there is none. */
static size_t before_dash(esp_bytes text)
{
    size_t len = text.len;
    while (len > 0 && text.ptr[len - 1] != '-')
        len--;
    return len ? len - 1 : 0;
}

/* "eu" of "eu-central-1"; empty when that is not the form. */
static esp_bytes prefix_of(esp_bytes region)
{
    size_t number = before_dash(region), word = before_dash(esp_span(region.ptr, number));
    if (word == 0 || !is_number(esp_span(region.ptr + number + 1, region.len - number - 1)) ||
        !is_word(esp_span(region.ptr + word + 1, number - word - 1)))
        return esp_str("");
    return esp_span(region.ptr, word);
}

static bool holds(const char *list, esp_bytes word)
{
    for (const char *at = list; (at = strchr(at, ' ')) != NULL; at++)
        if (strncmp(at + 1, (const char *)word.ptr, word.len) == 0 && at[1 + word.len] == ' ')
            return true;
    return false;
}

static const struct partition *partition_of(esp_bytes region)
{
    esp_bytes prefix = prefix_of(region);
    for (size_t i = 0; prefix.len && i < sizeof partitions / sizeof *partitions; i++)
        if (holds(partitions[i].prefixes, prefix))
            return &partitions[i];
    return NULL;
}

bool aws_region_known(esp_bytes region)
{
    return partition_of(region) != NULL;
}

/* ---- the usual ones ---- */

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* In GovCloud everything conforms to FIPS, and most services have no second name for it. */
static bool fips_by_itself(const struct aws_service *service, const struct partition *p, bool dual_stack)
{
    return is(p->name, "aws-us-gov") && !dual_stack && !is(service->name, "secretsmanager") &&
           !is(service->name, "tagging");
}

/* Secrets Manager answers over IPv6 under its old names where it is oldest. */
static bool dual_stack_by_itself(const struct aws_service *service, const struct partition *p, bool fips)
{
    return is(service->name, "secretsmanager") &&
           (is(p->name, "aws") || is(p->name, "aws-us-gov") || (is(p->name, "aws-cn") && !fips));
}

void aws_endpoint_usual(const struct aws_service *service, esp_bytes region, bool fips, bool dual_stack,
                        struct esp_text *url)
{
    const struct partition *p = partition_of(region);
    bool other_suffix = dual_stack && !dual_stack_by_itself(service, p, fips);
    esp_text_adds(url, "https://");
    esp_text_adds(url, service->name);
    if (fips && !fips_by_itself(service, p, dual_stack))
        esp_text_adds(url, "-fips");
    esp_text_addc(url, '.');
    esp_text_add(url, region);
    esp_text_addc(url, '.');
    esp_text_adds(url, other_suffix ? p->dual_stack_suffix : p->suffix);
    esp_text_addc(url, '/');
}

/* ---- other ones ---- */

static esp_status take_url(struct esp_call *call, const char *variable, esp_bytes value, struct esp_text *url)
{
    if (!esp_starts_with(value, esp_str("http://")) && !esp_starts_with(value, esp_str("https://")))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "the environment variable %s of esod holds no http or https URL", variable);
    esp_text_add(url, value);
    if (value.ptr[value.len - 1] != '/')
        esp_text_addc(url, '/');
    return ESP_OK;
}

esp_status aws_endpoint(struct esp_call *call, const struct aws_service *service, esp_bytes region,
                        struct esp_text *url)
{
    const char *const variables[] = {service->variables[0], service->variables[1], "AWS_ENDPOINT_URL"};
    esp_bytes value;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (aws_env(call, variables[i], &value))
            return take_url(call, variables[i], value, url);
    aws_endpoint_usual(service, region, aws_env_true(call, "AWS_USE_FIPS_ENDPOINT"),
                       aws_env_true(call, "AWS_USE_DUALSTACK_ENDPOINT"), url);
    return ESP_OK;
}
