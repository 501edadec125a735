/* plugins/aws/ambient.h: what stands around esod, as far as its configuration lets us see it. */
#ifndef AWS_AMBIENT_H
#define AWS_AMBIENT_H

#include <stdbool.h>

#include <esp/plugin.h>

/* The value of a variable that is granted, set, and not empty; else false. *value lives as long as the call.
 * A variable that is not granted is as good as not set: an operator who grants nothing gets stores that
 * depend on their own specs alone. */
bool aws_env(struct esp_call *call, const char *name, esp_bytes *value);

/* Whether it holds "true" in any case. */
bool aws_env_true(struct esp_call *call, const char *name);

/* The file that a variable names ("$AWS_CONFIG_FILE"); ESP_E_NOT_FOUND when the variable is not set or not
 * granted, else as esp_host.ambient. */
esp_status aws_env_file(struct esp_call *call, const char *name, esp_bytes *content);

#endif
