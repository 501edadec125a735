/* core/cmd/local_output.h: the Secrets of a local run, for people and programs. */
#ifndef ES_CMD_LOCAL_OUTPUT_H
#define ES_CMD_LOCAL_OUTPUT_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/cluster/local_house.h"

enum es_output { ES_OUT_TABLE, ES_OUT_YAML, ES_OUT_JSON, ES_OUT_FOLDER };

struct es_output_opts {
    enum es_output form;
    const char *folder; /* of ES_OUT_FOLDER */
    bool show_values;   /* otherwise their lengths; a folder always gets them, in files of mode 0600 */
    bool color;
};

/* Prints the Secrets that esod manages; the table has a row for each
 * ExternalSecret, with its state. */
int es_output_write(struct es_local *local, const struct es_output_opts *opts, struct es_error *err);

/* Names on stderr what is not Ready, with the condition's message. Returns how
 * many stores and ExternalSecrets that are. */
int es_output_failures(struct es_local *local);

#endif
