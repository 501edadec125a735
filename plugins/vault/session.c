#include "session.h"

#include <esp/json.h>

#include "fields.h"
#include "login.h"

#define TOKEN_MAX (64u << 10)
#define SENTENCE_MAX 1000
#define YOUNG_MS 60000 /* so long a token that Vault has just given is taken for good */

/* ---- what a login or a renewal brings ---- */

/* A member of `auth` in what a login or a renewal answers, as it is written; empty if there is none. */
static esp_bytes in_auth(esp_bytes body, const char *name)
{
    esp_bytes auth, value;
    bool found = vault_fields_find(body, "auth", &auth) && vault_fields_find(auth, name, &value);
    return found ? value : esp_str("");
}

static struct vault_lease lease_now(struct vault_store *s)
{
    pthread_mutex_lock(&s->lock);
    struct vault_lease lease = s->lease;
    pthread_mutex_unlock(&s->lock);
    return lease;
}

static void set_lease(struct vault_store *s, struct vault_lease lease)
{
    pthread_mutex_lock(&s->lock);
    s->lease = lease;
    pthread_mutex_unlock(&s->lock);
}

/* ---- getting a token ---- */

static bool ask_to_renew(struct vault_store *s, struct esp_call *call, esp_bytes token,
                         struct vault_answer *answer)
{
    const struct vault_request request = {.method = "PUT",
                                          .path = esp_str("auth/token/renew-self"),
                                          .body = esp_str("{}"),
                                          .token = token,
                                          .is_login = true,
                                          .api = "RenewSelf"};
    return vault_send(s, call, &request, answer) == ESP_OK && vault_is_good(answer);
}

/* Gives the lease `life_s` from now on, and says when it is to be looked at again: a token that can be
 * renewed when a third of its life is left, so that some call comes in time. */
static int64_t begin_lease(struct vault_store *s, struct esp_call *call, struct vault_lease lease,
                           int64_t life_s)
{
    lease.since_ms = vault_host->now_unix_ms(call);
    lease.end_ms = life_s ? lease.since_ms + life_s * 1000 : 0;
    set_lease(s, lease);
    return lease.renewable && life_s ? lease.since_ms + life_s * 2000 / 3 : lease.end_ms;
}

/* A renewal that brings less than half of what the login did has met the token's longest life:
 * then a login does better. */
static bool renew(struct vault_store *s, struct esp_call *call, struct esp_text *token, int64_t *expires)
{
    struct vault_lease lease = lease_now(s);
    struct vault_answer answer = {0};
    if (!lease.renewable || vault_host->now_unix_ms(call) >= lease.end_ms || !esp_token_peek(s->token, token))
        return false;
    if (ask_to_renew(s, call, esp_text_bytes(token), &answer)) {
        int64_t life_s = vault_number(in_auth(answer.body, "lease_duration"));
        if (life_s > 0 && life_s >= lease.life_s / 2) {
            *expires = begin_lease(s, call, lease, life_s);
            return true;
        }
    }
    esp_text_cut(token, 0);
    return false;
}

static esp_status take_login(struct vault_store *s, struct esp_call *call, const struct vault_answer *answer,
                             struct esp_text *token, int64_t *expires, struct esp_text *why)
{
    if (esp_json_get(answer->body, esp_str("auth.client_token"), ESP_JSON_PATH, token) != 1 ||
        token->len == 0) {
        esp_text_addf(why, "cannot log in to Vault with %s: the answer holds no token",
                      vault_method_name(s->method));
        return ESP_E_RETRY;
    }
    const struct vault_lease lease = {.life_s = vault_number(in_auth(answer->body, "lease_duration")),
                                      .renewable = esp_equal_str(in_auth(answer->body, "renewable"), "true"),
                                      .is_own =
                                          !esp_equal_str(in_auth(answer->body, "token_type"), "\"batch\"")};
    *expires = begin_lease(s, call, lease, lease.life_s);
    return ESP_OK;
}

/* A login fails for all who wait for it, but only a status and a sentence come through: the time to wait is
 * kept here. */
static esp_status refuse_login(struct vault_store *s, const struct vault_answer *answer, struct esp_text *why)
{
    esp_status status = vault_login_refused(s, answer, why);
    pthread_mutex_lock(&s->lock);
    s->retry_after_ms = answer->retry_after_ms;
    esp_text_cut(&s->refusal, 0);
    esp_text_add(&s->refusal, esp_text_bytes(why));
    pthread_mutex_unlock(&s->lock);
    return status;
}

static void hand_on_retry_after(struct vault_store *s, struct esp_call *call)
{
    struct esp_text sentence;
    esp_text_init(&sentence, SENTENCE_MAX);
    pthread_mutex_lock(&s->lock);
    uint64_t ms = s->retry_after_ms;
    esp_text_add(&sentence, esp_text_bytes(&s->refusal));
    pthread_mutex_unlock(&s->lock);
    if (ms)
        vault_host->fail(call, ESP_E_RETRY, ms, esp_text_bytes(&sentence));
    esp_text_free(&sentence);
}

/* A login that is refused while the last token still lives costs nothing yet. */
static bool keep_token(struct vault_store *s, struct esp_call *call, struct esp_text *token, int64_t *expires)
{
    struct vault_lease lease = lease_now(s);
    if (vault_host->now_unix_ms(call) >= lease.end_ms || !esp_token_peek(s->token, token))
        return false;
    *expires = lease.end_ms;
    return true;
}

/* The esp_token_login of all stores. */
static esp_status get_token(void *ctx, struct esp_call *call, struct esp_text *token, int64_t *expires,
                            struct esp_text *why)
{
    struct vault_store *s = ctx;
    struct vault_answer answer = {0};
    if (renew(s, call, token, expires))
        return ESP_OK;
    if (vault_method_is_token(s->method))
        return vault_static_token(s, call, token);
    esp_status status = vault_log_in(s, call, &answer);
    if (status != ESP_OK)
        return status;
    if (!vault_is_good(&answer))
        return keep_token(s, call, token, expires) ? ESP_OK : refuse_login(s, &answer, why);
    return take_login(s, call, &answer, token, expires, why);
}

static esp_status current_token(struct vault_store *s, struct esp_call *call, struct esp_text *token)
{
    if (!s->method)
        return ESP_OK;
    esp_status status = esp_token_get(s->token, vault_host, call, get_token, s, token);
    if (status == ESP_E_RETRY)
        hand_on_retry_after(s, call);
    return status;
}

esp_status vault_session_begin(struct vault_store *s, struct esp_call *call)
{
    struct esp_text token;
    esp_text_init(&token, TOKEN_MAX);
    esp_status status = current_token(s, call, &token);
    esp_text_free(&token);
    return status;
}

/* ---- asking ---- */

static esp_status look_up_with(struct vault_store *s, struct esp_call *call, esp_bytes token,
                               struct vault_answer *answer)
{
    const struct vault_request request = {.method = "GET",
                                          .path = esp_str("auth/token/lookup-self"),
                                          .token = token,
                                          .is_login = true,
                                          .api = "LookupSelf"};
    return vault_send(s, call, &request, answer);
}

/* Vault refuses with 403 what a token may not do, and everything to a token that has ended. Newer ones
 * say which; of others it is found out. Then a token that is a minute old at most is believed,
 * since there are tokens that may not look themselves up. */
static bool has_ended(struct vault_store *s, struct esp_call *call, esp_bytes token,
                      const struct vault_answer *refusal)
{
    struct vault_answer answer = {0};
    if (refusal->status != 403 || !s->method || vault_method_is_token(s->method))
        return false;
    if (vault_names_token(refusal))
        return true;
    if (vault_host->now_unix_ms(call) - lease_now(s).since_ms < YOUNG_MS)
        return false;
    return look_up_with(s, call, token, &answer) == ESP_OK && answer.status == 403;
}

esp_status vault_ask(struct vault_store *s, struct esp_call *call, struct vault_request request,
                     struct vault_answer *answer)
{
    esp_status status = ESP_OK;
    bool again = true;
    for (int tries = 0; again && status == ESP_OK; tries++) {
        struct esp_text token;
        esp_text_init(&token, TOKEN_MAX);
        status = current_token(s, call, &token);
        request.token = esp_text_bytes(&token);
        if (status == ESP_OK)
            status = vault_send(s, call, &request, answer);
        again = status == ESP_OK && tries == 0 && has_ended(s, call, request.token, answer);
        if (again)
            esp_token_drop(s->token, request.token);
        esp_text_free(&token);
    }
    return status;
}

esp_status vault_look_up(struct vault_store *s, struct esp_call *call, struct vault_answer *answer)
{
    return vault_ask(s, call,
                     (struct vault_request){.method = "GET",
                                            .path = esp_str("auth/token/lookup-self"),
                                            .is_login = true,
                                            .api = "LookupSelf"},
                     answer);
}

void vault_session_end(struct vault_store *s, struct esp_call *call)
{
    struct vault_answer answer;
    struct esp_text token;
    esp_text_init(&token, TOKEN_MAX);
    if (lease_now(s).is_own && esp_token_peek(s->token, &token)) {
        const struct vault_request request = {.method = "PUT",
                                              .path = esp_str("auth/token/revoke-self"),
                                              .token = esp_text_bytes(&token),
                                              .is_login = true,
                                              .api = "RevokeSelf"};
        (void)vault_send(s, call, &request, &answer);
    }
    esp_text_free(&token);
}
