/* The head of an answer: collected line by line, then handed over in one
 * block of memory. */
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/http/exchange.h"

static void start_over(struct es_head *head, int status)
{
    es_buf_reset(&head->text);
    head->count = 0;
    head->status = status;
    head->complete = false;
    head->encoded = false;
    head->content_length = -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", "HTTP/2 200": 0 for anything else. */
static int parse_status(const char *line, size_t len)
{
    if (len < 5 || memcmp(line, "HTTP/", 5) != 0)
        return 0;
    const char *p = memchr(line, ' ', len);
    if (!p || (size_t)(line + len - p) < 4 || !is_digit(p[1]) || !is_digit(p[2]) || !is_digit(p[3]))
        return 0;
    return (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
}

static void add_lower(struct es_buf *b, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        es_buf_addc(b, text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i]);
    es_buf_addc(b, '\0');
}

/* What the transport itself wants to know. */
static void note_header(struct es_head *head, const char *name, const char *value)
{
    if (es_streq(name, "content-length")) {
        if (es_parse_i64(value, &head->content_length) < 0)
            head->content_length = -1;
    } else if (es_streq(name, "content-encoding"))
        head->encoded = !es_strieq(value, "identity");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool add_header(struct es_exchange *x, const char *line, size_t len)
{
    struct es_head *head = &x->head;
    const char *colon = memchr(line, ':', len);

    /* Folded lines (obsolete since RFC 7230) and lines that are no header
     * carry nothing anybody here reads. */
    if (!colon || colon == line || is_blank(*line) || memchr(line, '\0', len))
        return true;
    const char *value = colon + 1;
    const char *end = line + len;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    if (++head->count > ES_HTTP_MAX_HEADERS) {
        es_exchange_fail(x, ES_E_TOO_LARGE, "answer with more than %d headers", ES_HTTP_MAX_HEADERS);
        return false;
    }
    size_t name_at = head->text.len;
    add_lower(&head->text, line, (size_t)(colon - line));
    size_t value_at = head->text.len;
    es_buf_add(&head->text, value, (size_t)(end - value));
    es_buf_addc(&head->text, '\0');
    if (es_buf_failed(&head->text)) {
        es_exchange_fail(x, ES_E_NOMEM, "out of memory");
        return false;
    }
    note_header(head, head->text.ptr + name_at, head->text.ptr + value_at);
    return true;
}

bool es_head_line(struct es_exchange *x, const char *line, size_t len)
{
    struct es_head *head = &x->head;

    /* What comes now are trailers; the head is the reader's already. Unless this is a
     * login by several requests, of which libcurl shows every answer's head and only
     * the last one's body. */
    if (head->complete && !(x->ntlm_user && parse_status(line, len)))
        return true;
    head->bytes += len;
    if (head->bytes > ES_HTTP_MAX_HEADER_BYTES) {
        es_exchange_fail(x, ES_E_TOO_LARGE, "headers of the answer above %zu bytes",
                         ES_HTTP_MAX_HEADER_BYTES);
        return false;
    }
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    int status = parse_status(line, len);
    if (status) {
        start_over(head, status);
        return true;
    }
    if (len > 0)
        return add_header(x, line, len);
    if (head->status < 200)
        return true; /* interim: the answer proper follows */
    head->complete = true;
    if (x->hooks->head)
        x->hooks->head(x);
    return x->code == 0;
}

int es_head_move(struct es_head *head, struct es_http_response *ret)
{
    size_t table = head->count * sizeof *ret->headers;

    ret->status = head->status;
    if (head->count == 0)
        return 0;
    struct es_http_header *headers = es_mem_alloc(table + head->text.len);
    if (!headers)
        return ES_E_NOMEM;
    char *text = (char *)headers + table;
    memcpy(text, head->text.ptr, head->text.len);
    for (size_t i = 0; i < head->count; i++) {
        headers[i].name = text;
        text += strlen(text) + 1;
        headers[i].value = text;
        text += strlen(text) + 1;
    }
    ret->headers = headers;
    ret->header_count = head->count;
    return 0;
}

void es_head_fini(struct es_head *head)
{
    es_buf_fini(&head->text);
    *head = (struct es_head){0};
}
