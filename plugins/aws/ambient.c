#include "ambient.h"

#include <strings.h>

#include <esp/text.h>

#include "session.h"

/* The README says what each is for. Paths are only those that variables name: a list cannot know where the
 * home of esod's user is. */
const char *const aws_ambient[] = {
    "env:AWS_*",
    "file:$AWS_WEB_IDENTITY_TOKEN_FILE",
    "file:$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "file:$AWS_SHARED_CREDENTIALS_FILE",
    "file:$AWS_CONFIG_FILE",
    NULL,
};

bool aws_env(struct esp_call *call, const char *name, esp_bytes *value)
{
    esp_bytes found;
    if (aws_host->ambient(call, ESP_AMBIENT_ENV, esp_str(name), &found) != ESP_OK || found.len == 0)
        return false;
    *value = found;
    return true;
}

bool aws_env_true(struct esp_call *call, const char *name)
{
    esp_bytes value;
    return aws_env(call, name, &value) && value.len == 4 &&
           strncasecmp((const char *)value.ptr, "true", 4) == 0;
}

esp_status aws_env_file(struct esp_call *call, const char *name, esp_bytes *content)
{
    esp_bytes path;
    if (!aws_env(call, name + 1, &path))
        return ESP_E_NOT_FOUND;
    return aws_host->ambient(call, ESP_AMBIENT_FILE, esp_str(name), content);
}
