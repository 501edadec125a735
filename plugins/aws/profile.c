/* Sections of lines: [name] in the credentials file, [profile name] or [default] in the other; `setting =
 * value`. What is indented belongs to the setting above (of services), and is none of ours. */
#include "profile.h"

#include <string.h>

#include "ambient.h"
#include "session.h"
#include "text.h"

static esp_status read_one(struct aws_run *run, const char *name, esp_bytes *ret)
{
    *ret = esp_str("");
    esp_status status = aws_env_file(run->call, name, ret);
    return status == ESP_E_NOT_FOUND ? ESP_OK : status;
}

esp_status aws_profiles_read(struct aws_run *run, struct aws_profiles *ret)
{
    esp_status status = read_one(run, "$AWS_SHARED_CREDENTIALS_FILE", &ret->credentials);
    if (status == ESP_OK)
        status = read_one(run, "$AWS_CONFIG_FILE", &ret->config);
    if (status == ESP_OK && ret->credentials.len == 0 && ret->config.len == 0)
        return ESP_E_NOT_FOUND;
    return status;
}

/* "[profile dev]" or "[dev]" names dev; anything else names nothing. */
static esp_bytes section_name(esp_bytes line)
{
    static const char word[] = "profile";
    size_t n = sizeof word - 1;
    const uint8_t *close = memchr(line.ptr, ']', line.len);
    if (!close)
        return esp_str("");
    esp_bytes name = aws_trim(esp_span(line.ptr + 1, (size_t)(close - line.ptr) - 1));
    if (name.len > n && esp_starts_with(name, esp_str(word)) && strchr(" \t", name.ptr[n]))
        name = aws_trim(esp_span(name.ptr + n, name.len - n));
    return name;
}

/* A comment behind a value begins with a space before its mark. */
static esp_bytes without_comment(esp_bytes value)
{
    for (size_t i = 1; i < value.len; i++)
        if (strchr("#;", value.ptr[i]) && strchr(" \t", value.ptr[i - 1]))
            return aws_trim(esp_span(value.ptr, i));
    return value;
}

/* Walks through the lines of a profile's sections until `setting` is found; NULL: until a section is. */
static bool look(esp_bytes file, esp_bytes profile, const char *setting, esp_bytes *ret)
{
    bool inside = false;
    while (file.len) {
        esp_bytes line = aws_cut(&file, '\n');
        if (line.len == 0 || strchr(" \t#;\r", line.ptr[0]))
            continue;
        if (line.ptr[0] == '[') {
            inside = profile.len && esp_equal(section_name(line), profile);
            if (inside && !setting)
                return true;
            continue;
        }
        esp_bytes value = line, name = aws_trim(aws_cut(&value, '='));
        if (inside && setting && esp_equal_str(name, setting)) {
            *ret = without_comment(aws_trim(value));
            return true;
        }
    }
    return false;
}

esp_bytes aws_profiles_get(const struct aws_profiles *profiles, esp_bytes profile, const char *setting)
{
    esp_bytes value = esp_str("");
    if (!look(profiles->credentials, profile, setting, &value))
        (void)look(profiles->config, profile, setting, &value);
    return value;
}

bool aws_profiles_has(const struct aws_profiles *profiles, esp_bytes profile)
{
    esp_bytes unused;
    return look(profiles->credentials, profile, NULL, &unused) ||
           look(profiles->config, profile, NULL, &unused);
}
