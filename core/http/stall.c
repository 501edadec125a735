#include "core/http/stall.h"

#include "core/http/slot.h"

#define FIRST_LOOK_MS 5
#define LAST_LOOK_MS 500
#define SUSPECT_BYTES 8192 /* half of libcurl's buffer */

static bool forgets(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num < 0x080100;
}

bool es_stall_suspect(const struct es_exchange *x)
{
    curl_off_t down = 0;

    if (!x->https || !forgets())
        return false;
    curl_easy_getinfo(x->slot->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    return x->code || down >= SUSPECT_BYTES;
}

/* Going on after a pause makes libcurl read without asking the socket. */
static void cure(const struct es_exchange *x)
{
    curl_off_t started = 0;

    if (!x->https || !forgets())
        return;
    /* Not before the request is on its way: there is nothing to read yet. */
    curl_easy_getinfo(x->slot->easy, CURLINFO_PRETRANSFER_TIME_T, &started);
    if (started == 0)
        return;
    curl_easy_pause(x->slot->easy, CURLPAUSE_RECV);
    curl_easy_pause(x->slot->easy, CURLPAUSE_CONT);
}

void es_stall_cure(struct es_exchange *list)
{
    for (; list; list = list->next)
        cure(list);
}

int64_t es_stall_look(struct es_exchange *x, int64_t now_ms)
{
    if (x->pieces != x->pieces_seen || x->look_step_ms == 0) {
        x->pieces_seen = x->pieces;
        x->look_step_ms = FIRST_LOOK_MS;
        x->look_at_ms = now_ms + FIRST_LOOK_MS;
    }
    if (now_ms < x->look_at_ms)
        return x->look_at_ms - now_ms;
    cure(x);
    x->look_step_ms = x->look_step_ms * 2 < LAST_LOOK_MS ? x->look_step_ms * 2 : LAST_LOOK_MS;
    x->look_at_ms = now_ms + x->look_step_ms;
    return 0;
}
