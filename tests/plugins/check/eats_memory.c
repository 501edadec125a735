/* Takes what there is. */
#include <stdlib.h>

#include "esp/plugin.h"
static esp_status eat(void);
#define GET_BODY                                                                                             \
    return eat() == ESP_OK ? host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value")) : ESP_E_INTERNAL;
#include "bad.h"

struct bite {
    struct bite *next;
};

static esp_status eat(void)
{
    struct bite *all = NULL, *one;
    for (int i = 0; i < 100 && (one = malloc((size_t)16 << 20)); i++) {
        one->next = all;
        all = one;
    }
    while (all) {
        one = all->next;
        free(all);
        all = one;
    }
    return ESP_OK;
}
