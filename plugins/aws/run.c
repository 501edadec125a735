#include "run.h"

#include <stdarg.h>
#include <stdio.h>

#include "session.h"

#define MAX_SENTENCE 1000

void aws_run_init(struct aws_run *run, struct esp_call *call)
{
    run->call = call;
    run->retry_after_ms = 0;
    esp_text_init(&run->why, MAX_SENTENCE);
}

esp_status aws_because(struct aws_run *run, esp_status status, const char *format, ...)
{
    char text[MAX_SENTENCE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    esp_text_cut(&run->why, 0);
    esp_text_adds(&run->why, text);
    return status;
}

esp_status aws_run_end(struct aws_run *run, esp_status status)
{
    if (status != ESP_OK && run->why.len)
        (void)aws_host->fail(run->call, status, run->retry_after_ms, esp_text_bytes(&run->why));
    esp_text_free(&run->why);
    return status;
}
