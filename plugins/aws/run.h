/* plugins/aws/run.h: an operation under way, and why it fails.
 *
 * A login is shared: whoever waits for it gets its sentence too (esp/token.h), so sentences are kept until it
 * is known whose they are. */
#ifndef AWS_RUN_H
#define AWS_RUN_H

#include <esp/plugin.h>
#include <esp/text.h>

struct aws_run {
    struct esp_call *call;
    struct esp_text why; /* a sentence for people; empty: a service has recorded one, or nothing is wrong */
    uint64_t retry_after_ms; /* what the backend asked for; 0: nothing */
};

void aws_run_init(struct aws_run *run, struct esp_call *call);

/* Keeps the sentence, in place of one before, and returns `status`. The rules of esp_host.fail hold. */
esp_status aws_because(struct aws_run *run, esp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Hands the sentence to the core if `status` is a failure, ends the run, returns `status`. */
esp_status aws_run_end(struct aws_run *run, esp_status status);

#endif
