/* plugins/aws/text.h: small readers that the parts of the plugin share. */
#ifndef AWS_TEXT_H
#define AWS_TEXT_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

/* Without the spaces, tabs and line ends around it. Borrowed. */
esp_bytes aws_trim(esp_bytes text);

/* What is before the first `end`, and *text becomes what is behind it; without one, all of it. Borrowed. */
esp_bytes aws_cut(esp_bytes *text, char end);

/* "2026-03-01T12:00:00Z", perhaps with a fraction of a second, in milliseconds since 1970; false: something
 * else. All times of AWS are in UTC. */
bool aws_time(esp_bytes text, int64_t *ret_unix_ms);

#endif
