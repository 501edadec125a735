/* Prefers its own language. */
#include <locale.h>
#define ENTRY_RETURNS (setlocale(LC_ALL, "C.UTF-8") ? &plugin : NULL)
#include "bad.h"
