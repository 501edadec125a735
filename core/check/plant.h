/* core/check/plant.h: secrets that nobody may say aloud.
 *
 * Each has a random core of letters and digits between signs that encodings
 * change. Who looks for it finds it as it is, percent-encoded, in base64 (either
 * alphabet, any offset) and in hexadecimal; the first half is enough, since a
 * quotation may be cut. */
#ifndef ES_CHECK_PLANT_H
#define ES_CHECK_PLANT_H

#include <stddef.h>

#include "esp/plugin.h"

enum es_plant {
    ES_PLANT_SECRET,  /* the value of a Kubernetes Secret */
    ES_PLANT_TOKEN,   /* a service account's token */
    ES_PLANT_PUSHED,  /* a value to be pushed */
    ES_PLANT_BODY,    /* in the body of an HTTP answer */
    ES_PLANT_HEADER,  /* in a header of an HTTP answer */
    ES_PLANT_AMBIENT, /* an environment variable or a file */
    ES_PLANT_COUNT
};

/* Draws them. Once, in the parent: it looks for them in what its children print. */
void es_plants_init(void);

/* The whole value, borrowed for ever. */
const char *es_plant(enum es_plant plant);

/* "the value of a Kubernetes Secret", and ret_form "in base64", for the first plant
 * that is in the text; NULL: none is. `without`: bits 1 << plant that may be there. */
const char *es_plant_found(esp_bytes text, unsigned without, const char **ret_form);

#endif
