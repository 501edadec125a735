#include <esp/token.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TOKEN_MAX (64u << 10)
#define SENTENCE_MAX 1000
#define MARGIN_MS 60000
/* How long a waiter sleeps before it asks again whether its call has time: the host's clock
 * need not be the system's, and a shutdown moves the deadline. */
#define NAP_MS 100

struct esp_token {
    pthread_mutex_t lock;
    pthread_cond_t turned; /* a login has ended */
    struct esp_text value;
    int64_t usable_until; /* 0: for ever */
    bool have, busy;
    uint64_t logins; /* that have ended */

    /* How the last one failed, for those who waited. */
    esp_status failed_with;
    struct esp_text why;
};

struct esp_token *esp_token_new(void)
{
    struct esp_token *token = calloc(1, sizeof *token);
    pthread_condattr_t monotonic;
    if (!token)
        return NULL;
    pthread_mutex_init(&token->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&token->turned, &monotonic);
    pthread_condattr_destroy(&monotonic);
    esp_text_init(&token->value, TOKEN_MAX);
    esp_text_init(&token->why, SENTENCE_MAX);
    return token;
}

void esp_token_free(struct esp_token *token)
{
    if (!token)
        return;
    esp_text_free(&token->value);
    esp_text_free(&token->why);
    pthread_cond_destroy(&token->turned);
    pthread_mutex_destroy(&token->lock);
    free(token);
}

static void forget(struct esp_token *token)
{
    token->have = false;
    esp_text_free(&token->value);
}

static bool is_usable(const struct esp_token *token, int64_t now)
{
    return token->have && (token->usable_until == 0 || now < token->usable_until);
}

static void nap(struct esp_token *token)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += NAP_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&token->turned, &token->lock, &until);
}

static int64_t margin(int64_t life)
{
    return life / 10 < MARGIN_MS ? life / 10 : MARGIN_MS;
}

/* What a login ends with is never about the remote secret: a missing credential must not read as "no such
 * secret", which may delete what was made of one. */
static esp_status verdict(esp_status status)
{
    return status == ESP_E_NOT_FOUND ? ESP_E_CONFIG : status;
}

/* Whether it says something about the login, not only about whoever tried it: his deadline, his memory. */
static bool concerns_all(esp_status status)
{
    return status != ESP_E_CANCELLED && status != ESP_E_INTERNAL;
}

/* Takes what a login brought. */
static void settle(struct esp_token *token, esp_status status, struct esp_text *value, int64_t now,
                   int64_t expires, const struct esp_text *why)
{
    forget(token);
    token->failed_with = status;
    esp_text_cut(&token->why, 0);
    esp_text_add(&token->why, esp_text_bytes(why));
    if (status == ESP_OK) {
        esp_text_add(&token->value, esp_text_bytes(value));
        token->have = !esp_text_failed(&token->value);
        token->usable_until = expires == 0 ? 0 : expires - margin(expires > now ? expires - now : 0);
        if (!token->have)
            token->failed_with = ESP_E_INTERNAL;
    }
    token->busy = false;
    token->logins++;
    pthread_cond_broadcast(&token->turned);
}

/* Nobody else logs in meanwhile: `busy` is set. The lock is not held. */
static esp_status log_in(struct esp_token *token, const struct esp_host *host, struct esp_call *call,
                         esp_token_login login, void *ctx)
{
    struct esp_text value, why;
    int64_t expires = 0, now = host->now_unix_ms(call);
    esp_text_init(&value, TOKEN_MAX);
    esp_text_init(&why, SENTENCE_MAX);
    esp_status status = verdict(login(ctx, call, &value, &expires, &why));
    if (status == ESP_OK && esp_text_failed(&value)) {
        status = ESP_E_INTERNAL;
        esp_text_adds(&why, "the login brought a token of more than 64 KiB, or there is no memory for it");
    }
    if (status != ESP_OK && why.len)
        host->fail(call, status, 0, esp_text_bytes(&why));
    pthread_mutex_lock(&token->lock);
    settle(token, status, &value, now, expires, &why);
    status = token->failed_with;
    pthread_mutex_unlock(&token->lock);
    esp_text_free(&value);
    esp_text_free(&why);
    return status;
}

/* Waits until the login that was the `seen`th has ended, or for a moment: whether the call has time is asked
 * in between, without the lock. How it ended, with its sentence; ESP_OK: look again. */
static esp_status wait_for(struct esp_token *token, uint64_t seen, struct esp_text *why)
{
    esp_status status = ESP_OK;
    pthread_mutex_lock(&token->lock);
    if (token->logins == seen)
        nap(token);
    if (token->logins != seen && concerns_all(token->failed_with)) {
        status = token->failed_with;
        esp_text_add(why, esp_text_bytes(&token->why));
    }
    pthread_mutex_unlock(&token->lock);
    return status;
}

static esp_status share(struct esp_token *token, const struct esp_host *host, struct esp_call *call,
                        uint64_t seen)
{
    struct esp_text why;
    if (host->remaining_ms(call) <= 0)
        return esp_failf(host, call, ESP_E_CANCELLED, "there was no time left to wait for a login");
    esp_text_init(&why, SENTENCE_MAX);
    esp_status status = wait_for(token, seen, &why);
    if (status != ESP_OK && why.len)
        host->fail(call, status, 0, esp_text_bytes(&why));
    else if (status != ESP_OK)
        esp_failf(host, call, status, "the login that this call shared with others failed");
    esp_text_free(&why);
    return status;
}

enum turn { MINE, OTHERS, DONE };

/* What a call has seen of the logins. */
struct watch {
    bool begun;
    uint64_t first, last; /* how many had ended when it came, and when it looked last */
};

/* What is to be done: take the token (it is in `out`), log in, or wait for the one who does. What a login
 * has brought since the call came is taken, however short its life. */
static enum turn next_turn(struct esp_token *token, int64_t now, struct watch *w, struct esp_text *out)
{
    enum turn turn = OTHERS;
    pthread_mutex_lock(&token->lock);
    w->last = token->logins;
    if (!w->begun)
        w->first = token->logins;
    w->begun = true;
    if (is_usable(token, now) || (token->have && token->logins != w->first)) {
        turn = DONE;
        esp_text_add(out, esp_text_bytes(&token->value));
    } else if (!token->busy) {
        turn = MINE;
        token->busy = true;
    }
    pthread_mutex_unlock(&token->lock);
    return turn;
}

esp_status esp_token_get(struct esp_token *token, const struct esp_host *host, struct esp_call *call,
                         esp_token_login login, void *ctx, struct esp_text *out)
{
    struct watch watch = {0};
    esp_status status = ESP_OK;
    for (enum turn turn = MINE; status == ESP_OK && turn != DONE;) {
        turn = next_turn(token, host->now_unix_ms(call), &watch, out);
        if (turn == MINE)
            status = log_in(token, host, call, login, ctx);
        else if (turn == OTHERS)
            status = share(token, host, call, watch.last);
    }
    if (status == ESP_OK && esp_text_failed(out))
        return esp_failf(host, call, ESP_E_INTERNAL, "no memory for the token of the login");
    return status;
}

void esp_token_drop(struct esp_token *token, esp_bytes value)
{
    pthread_mutex_lock(&token->lock);
    if (token->have && esp_equal(esp_text_bytes(&token->value), value))
        forget(token);
    pthread_mutex_unlock(&token->lock);
}

bool esp_token_peek(struct esp_token *token, struct esp_text *out)
{
    pthread_mutex_lock(&token->lock);
    bool have = token->have;
    if (have)
        esp_text_add(out, esp_text_bytes(&token->value));
    pthread_mutex_unlock(&token->lock);
    return have && !esp_text_failed(out);
}
