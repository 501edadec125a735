/* plugins/aws/pem.h: certificates and keys as PEM text. */
#ifndef AWS_PEM_H
#define AWS_PEM_H

#include <esp/text.h>

/* Takes a bundle apart: its first certificate, and the others one after the other. Whatever else is in it is
 * left out. False when there is no certificate, or one that is none. */
bool aws_pem_split(esp_bytes bundle, struct esp_text *leaf, struct esp_text *chain);

/* Appends the private key without its passphrase, PKCS#8. False when it cannot be read. */
bool aws_pem_decrypt(esp_bytes key, esp_bytes passphrase, struct esp_text *out);

/* Without line ends behind it. Borrowed. */
esp_bytes aws_pem_trim(esp_bytes text);

#endif
