/* plugins/aws/profile.h: the files in which AWS's tools keep credentials, credentials and config.
 *
 * Only those that AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name: a home folder is none of a daemon's.
 */
#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include <esp/text.h>

#include "run.h"

/* Both files as they are, borrowed from the call; empty: there is none. */
struct aws_profiles {
    esp_bytes credentials, config;
};

/* ESP_E_NOT_FOUND: no variable names a file. */
esp_status aws_profiles_read(struct aws_run *run, struct aws_profiles *ret);

/* The value of a setting of a profile, in the credentials file first; empty: it is not there. Borrowed. */
esp_bytes aws_profiles_get(const struct aws_profiles *profiles, esp_bytes profile, const char *setting);

/* Whether either file has a section for it. */
bool aws_profiles_has(const struct aws_profiles *profiles, esp_bytes profile);

#endif
