/* plugins/gcp/crc32c.h: the checksum that Secret Manager sends with a value and takes with one. */
#ifndef GCP_CRC32C_H
#define GCP_CRC32C_H

#include <stdint.h>

#include <esp/plugin.h>

/* CRC-32C (RFC 9260, appendix A: Castagnoli's polynomial, reflected). */
uint32_t gcp_crc32c(esp_bytes bytes);

#endif
