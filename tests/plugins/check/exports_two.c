/* Exports a helper that any other plugin may have as well. */
#include "bad.h"
ESP_EXPORT int esod_helper(void);
int esod_helper(void)
{
    return (int)plugin.size;
}
