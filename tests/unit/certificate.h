/* A certificate to trust in tests: self-signed, good for a hundred years, and nobody has
 * its key. */
#ifndef TESTS_UNIT_CERTIFICATE_H
#define TESTS_UNIT_CERTIFICATE_H

#define CERTIFICATE                                                                                          \
    "-----BEGIN CERTIFICATE-----\n"                                                                          \
    "MIIBgDCCASWgAwIBAgIUVGLq6GNfqgdvfV0CXM6+I+zLMvkwCgYIKoZIzj0EAwIw\n"                                     \
    "FDESMBAGA1UEAwwJZXNvZCB0ZXN0MCAXDTI2MTEyNTIxMDg0MFoYDzIxMjYxMTAx\n"                                     \
    "MjEwODQwWjAUMRIwEAYDVQQDDAllc29kIHRlc3QwWTATBgcqhkjOPQIBBggqhkjO\n"                                     \
    "PQMBBwNCAAS+XQpd6xAJ0xHVaceSox4hfH+s422gP29S7hnjsahIO+qY2+am8RM2\n"                                     \
    "sFr5OqFIa05KxWpTKtPOYhPyTjn3f1kUo1MwUTAdBgNVHQ4EFgQUa+p295jgqErh\n"                                     \
    "oYpid7WzewG7RhcwHwYDVR0jBBgwFoAUa+p295jgqErhoYpid7WzewG7RhcwDwYD\n"                                     \
    "VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAr5VnJ8hxmfu75uHnkJ92\n"                                     \
    "cEobxrTTJfZ7n++ZlJW1hwECIQDohrMX2oLG90V4f1MeZ88w9sQUJwFLP1kIogws\n"                                     \
    "+BI4hw==\n"                                                                                             \
    "-----END CERTIFICATE-----\n"

#endif
