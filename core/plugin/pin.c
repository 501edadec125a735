#include "core/plugin/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/codec.h"
#include "core/base/text.h"

#define MAX_FILE ((size_t)256 << 20)
#define PIECE ((size_t)16 << 10)
#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Linux 6.3: the copy is for mapping, never for execve. Older headers lack it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

static int cannot_read(struct es_error *err)
{
    return es_error_set(err, ES_E_CONFIG, "it cannot be read: %s", strerror(errno));
}

static int no_copy(struct es_error *err)
{
    return es_error_set(err, ES_E_INTERNAL, "no copy of it can be kept in memory: %s", strerror(errno));
}

/* O_NONBLOCK: a FIFO in this place must not hold the start. */
static int open_file(int *ret, const char *file, struct es_error *err)
{
    struct stat st;
    int rc = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0)
        rc = cannot_read(err);
    else if (!S_ISREG(st.st_mode))
        rc = es_error_set(err, ES_E_CONFIG, "it is no regular file");
    if (rc < 0 && fd >= 0)
        close(fd);
    if (rc == 0)
        *ret = fd;
    return rc;
}

static bool write_all(int fd, const unsigned char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads to the end, hashes each piece, and writes it to `to` unless that is -1. */
static int hash_pieces(EVP_MD_CTX *digest, int from, int to, struct es_error *err)
{
    unsigned char piece[PIECE];
    size_t total = 0;

    for (;;) {
        ssize_t n = read(from, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cannot_read(err);
        if (n == 0)
            return 0;
        total += (size_t)n;
        if (total > MAX_FILE)
            return es_error_set(err, ES_E_CONFIG, "it is larger than %zu MiB", MAX_FILE >> 20);
        if (EVP_DigestUpdate(digest, piece, (size_t)n) != 1)
            return es_error_set(err, ES_E_INTERNAL, "OpenSSL could not compute SHA-256");
        if (to >= 0 && !write_all(to, piece, (size_t)n))
            return no_copy(err);
    }
}

static int hash_file(char hex[ES_SHA256_HEX_MAX], int from, int to, struct es_error *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (!digest)
        return es_error_nomem(err);
    int rc = EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1
                 ? hash_pieces(digest, from, to, err)
                 : es_error_set(err, ES_E_INTERNAL, "OpenSSL could not compute SHA-256");
    if (rc == 0 && EVP_DigestFinal_ex(digest, sum, &len) != 1)
        rc = es_error_set(err, ES_E_INTERNAL, "OpenSSL could not compute SHA-256");
    EVP_MD_CTX_free(digest);
    if (rc == 0)
        es_hex(hex, sum, len);
    return rc;
}

static int new_copy(int *ret, struct es_error *err)
{
    int fd = memfd_create("esod-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("esod-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return no_copy(err);
    *ret = fd;
    return 0;
}

int es_pin_compare(const char *hex, const char *sha256, struct es_error *err)
{
    if (es_strieq(hex, sha256))
        return 0;
    return es_error_set(err, ES_E_CONFIG,
                        "its SHA-256 is %s and the configuration pins %s; if the file was meant to change, "
                        "pin the new one",
                        hex, sha256);
}

int es_pin_open(int *ret_fd, const char *file, const char *sha256, struct es_error *err)
{
    char hex[ES_SHA256_HEX_MAX];
    int from = -1, copy = -1;

    int rc = open_file(&from, file, err);
    if (rc == 0)
        rc = new_copy(&copy, err);
    if (rc == 0)
        rc = hash_file(hex, from, copy, err);
    /* Sealed before anybody compares: what was hashed is what stays. */
    if (rc == 0 && fcntl(copy, F_ADD_SEALS, ALL_SEALS) < 0)
        rc = no_copy(err);
    if (rc == 0)
        rc = es_pin_compare(hex, sha256, err);
    if (from >= 0)
        close(from);
    if (rc == 0)
        *ret_fd = copy;
    else if (copy >= 0)
        close(copy);
    return rc;
}

/* The loader knows no more to say of it than "failed to map segment". */
int es_pin_executable(const char *file, struct es_error *err)
{
    struct statvfs fs;

    if (statvfs(file, &fs) < 0 || !(fs.f_flag & ST_NOEXEC))
        return 0;
    return es_error_set(err, ES_E_CONFIG,
                        "it lies in a place where nothing may be executed (noexec), as in a mounted image; "
                        "pin its sha256, and a copy in memory is used");
}

int es_pin_digest(char hex[ES_SHA256_HEX_MAX], const char *file, struct es_error *err)
{
    int fd;

    int rc = open_file(&fd, file, err);
    if (rc < 0)
        return rc;
    rc = hash_file(hex, fd, -1, err);
    close(fd);
    return rc;
}
