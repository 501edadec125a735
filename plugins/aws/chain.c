#include "chain.h"

#include "ambient.h"
#include "metadata.h"
#include "profile.h"
#include "session.h"
#include "text.h"

#define MAX_CHAIN 5 /* profiles that take their credentials from one another */

/* ---- variables ---- */

static esp_status from_variables(struct aws_run *run, struct aws_creds *ret)
{
    esp_bytes id, secret, token = esp_str("");
    if (!aws_env(run->call, "AWS_ACCESS_KEY_ID", &id) ||
        !aws_env(run->call, "AWS_SECRET_ACCESS_KEY", &secret))
        return ESP_E_NOT_FOUND;
    (void)aws_env(run->call, "AWS_SESSION_TOKEN", &token);
    if (!aws_creds_set(ret, id, secret, token))
        return aws_because(run, ESP_E_CONFIG,
                           "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY of esod's environment is blank");
    return ESP_OK;
}

/* ---- a token file ---- */

static esp_status from_web_identity(struct aws_run *run, const struct aws_sts *sts, struct aws_creds *ret)
{
    esp_bytes file, role, token, session = esp_str(AWS_SESSION_NAME);
    if (!aws_env(run->call, "AWS_WEB_IDENTITY_TOKEN_FILE", &file) ||
        !aws_env(run->call, "AWS_ROLE_ARN", &role))
        return ESP_E_NOT_FOUND;
    esp_status status = aws_env_file(run->call, "$AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    if (status == ESP_E_NOT_FOUND)
        return aws_because(run, ESP_E_CONFIG,
                           "there is no file at the path that AWS_WEB_IDENTITY_TOKEN_FILE holds");
    if (status != ESP_OK)
        return status;
    (void)aws_env(run->call, "AWS_ROLE_SESSION_NAME", &session);
    return aws_sts_web_identity(run, sts, role, session, aws_trim(token), ret);
}

/* ---- profiles ---- */

static esp_status from_profile(struct aws_run *run, const struct aws_sts *sts,
                               const struct aws_profiles *files, esp_bytes name, int left,
                               struct aws_creds *ret);

static esp_status from_source(struct aws_run *run, esp_bytes profile, esp_bytes source, struct aws_creds *ret)
{
    esp_status status = ESP_E_CONFIG;
    if (esp_equal_str(source, "Environment"))
        status = from_variables(run, ret);
    else if (esp_equal_str(source, "EcsContainer"))
        status = aws_container(run, ret);
    else if (esp_equal_str(source, "Ec2InstanceMetadata"))
        status = aws_instance(run, ret);
    if (status != ESP_E_NOT_FOUND && status != ESP_E_CONFIG)
        return status;
    return aws_because(
        run, ESP_E_CONFIG,
        "the AWS profile \"%.*s\": its credential_source \"%.*s\" has no credentials; it may be Environment, "
        "EcsContainer or Ec2InstanceMetadata",
        ESP_ARG(profile), ESP_ARG(source));
}

/* A role that is assumed with what another profile, or the same one, has. */
static esp_status with_role(struct aws_run *run, const struct aws_sts *sts, const struct aws_profiles *files,
                            esp_bytes name, int left, struct aws_creds *ret)
{
    const struct aws_role role = {.arn = aws_profiles_get(files, name, "role_arn"),
                                  .external_id = aws_profiles_get(files, name, "external_id")};
    esp_bytes other = aws_profiles_get(files, name, "source_profile");
    esp_bytes source = aws_profiles_get(files, name, "credential_source");
    struct aws_creds base;
    esp_status status;
    aws_creds_init(&base);
    if (other.len)
        status = from_profile(run, sts, files, other, left - 1, &base);
    else if (source.len)
        status = from_source(run, name, source, &base);
    else
        status = aws_because(
            run, ESP_E_CONFIG,
            "the AWS profile \"%.*s\" has a role_arn, but no source_profile and no credential_source",
            ESP_ARG(name));
    if (status == ESP_OK) {
        const struct esp_sigv4_keys keys = aws_creds_keys(&base);
        status = aws_sts_assume(run, sts, &keys, &role, ret);
    }
    aws_creds_free(&base);
    return status;
}

static bool set_from(const struct aws_profiles *files, esp_bytes name, struct aws_creds *ret)
{
    return aws_creds_set(ret, aws_profiles_get(files, name, "aws_access_key_id"),
                         aws_profiles_get(files, name, "aws_secret_access_key"),
                         aws_profiles_get(files, name, "aws_session_token"));
}

static esp_status from_profile(struct aws_run *run, const struct aws_sts *sts,
                               const struct aws_profiles *files, esp_bytes name, int left,
                               struct aws_creds *ret)
{
    if (left == 0)
        return aws_because(run, ESP_E_CONFIG,
                           "the AWS profile \"%.*s\": more than %d profiles in a row, or a circle",
                           ESP_ARG(name), MAX_CHAIN);
    if (!aws_profiles_has(files, name))
        return aws_because(
            run, ESP_E_CONFIG,
            "there is no AWS profile \"%.*s\" in the files that AWS_SHARED_CREDENTIALS_FILE and "
            "AWS_CONFIG_FILE name",
            ESP_ARG(name));
    /* A profile that names itself as its source has both: the role, and the keys to assume it with. */
    bool source = left < MAX_CHAIN && set_from(files, name, ret);
    if (!source && aws_profiles_get(files, name, "role_arn").len)
        return with_role(run, sts, files, name, left, ret);
    if (source || set_from(files, name, ret))
        return ESP_OK;
    if (left == MAX_CHAIN)
        return ESP_E_NOT_FOUND;
    return aws_because(run, ESP_E_CONFIG,
                       "the AWS profile \"%.*s\" has neither keys nor a role that esod can use",
                       ESP_ARG(name));
}

/* A profile that only has settings (a region) is none that credentials are in, unless somebody asked for it.
 */
static esp_status from_files(struct aws_run *run, const struct aws_sts *sts, struct aws_creds *ret)
{
    struct aws_profiles files;
    esp_bytes name = esp_str("default");
    bool named = aws_env(run->call, "AWS_PROFILE", &name);
    esp_status status = aws_profiles_read(run, &files);
    if (status != ESP_OK)
        return status;
    if (!named && !aws_profiles_has(&files, name))
        return ESP_E_NOT_FOUND;
    return from_profile(run, sts, &files, name, MAX_CHAIN, ret);
}

/* ---- all of them ---- */

/* Who grants nothing of the environment does not want tenants to have what the machine has either. */
static bool granted(struct aws_run *run)
{
    esp_bytes unused;
    return aws_host->ambient(run->call, ESP_AMBIENT_ENV, esp_str("AWS_REGION"), &unused) != ESP_E_DENIED;
}

static esp_status nothing(struct aws_run *run)
{
    return aws_because(
        run, ESP_E_DENIED,
        "the store has no auth, and esod itself has no credentials of AWS: none in its environment, no "
        "token file, no profile, no container endpoint, no instance role");
}

esp_status aws_chain(struct aws_run *run, const struct aws_sts *sts, struct aws_creds *ret)
{
    if (!granted(run))
        return aws_because(
            run, ESP_E_DENIED,
            "the store has no auth, and the aws plugin may not use the credentials of esod: grant it "
            "env:AWS_* under ambient: in the configuration, or give the store an auth");
    esp_status status = from_variables(run, ret);
    if (status == ESP_E_NOT_FOUND)
        status = from_web_identity(run, sts, ret);
    if (status == ESP_E_NOT_FOUND)
        status = from_files(run, sts, ret);
    if (status == ESP_E_NOT_FOUND)
        status = aws_container(run, ret);
    if (status == ESP_E_NOT_FOUND)
        status = aws_instance(run, ret);
    return status == ESP_E_NOT_FOUND ? nothing(run) : status;
}
