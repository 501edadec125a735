/* An object as there are thousands of. Included after cluster_test.h. */
#ifndef TESTS_UNIT_CLUSTER_USUAL_H
#define TESTS_UNIT_CLUSTER_USUAL_H

/* What an API server says about the n-th ExternalSecret, synced. Returns its length. */
static inline size_t usual(char *out, size_t size, unsigned n)
{
    int len = snprintf(
        out, size,
        "{\"apiVersion\":\"external-secrets.io/"
        "v1\",\"kind\":\"ExternalSecret\",\"metadata\":{\"creationTimestamp\":"
        "\"2026-03-01T10:%02u:%02uZ\",\"finalizers\":[\"externalsecrets.external-secrets.io/"
        "externalsecret-cleanup\"],"
        "\"generation\":1,\"name\":\"app-%u\",\"namespace\":\"team-%u\",\"resourceVersion\":\"%u\",\"uid\":"
        "\"%08x-1c2d-4e5f-8a9b-%012x\"},\"spec\":{\"data\":[{\"remoteRef\":{\"conversionStrategy\":"
        "\"Default\","
        "\"decodingStrategy\":\"None\",\"key\":\"/team/%u/"
        "db\",\"metadataPolicy\":\"None\",\"property\":\"password\"},"
        "\"secretKey\":\"password\"}],\"refreshInterval\":\"1h\",\"secretStoreRef\":{\"kind\":"
        "\"ClusterSecretStore\","
        "\"name\":\"vault\"},\"target\":{\"creationPolicy\":\"Owner\",\"deletionPolicy\":\"Retain\"}},"
        "\"status\":{"
        "\"binding\":{\"name\":\"app-%u\"},\"conditions\":[{\"lastTransitionTime\":\"2026-03-01T10:%02u:%"
        "02uZ\","
        "\"message\":\"secret synced\",\"reason\":\"SecretSynced\",\"status\":\"True\",\"type\":\"Ready\"}],"
        "\"refreshTime\":\"2026-03-01T10:%02u:%02uZ\",\"syncedResourceVersion\":\"1-0fd3a1\"}}",
        n / 60 % 60, n % 60, n, n % 50, 100000 + n * 3, n * 2654435761u, n * 40503u, n % 50, n, n / 60 % 60,
        n % 60, n / 60 % 60, n % 60);
    assert_in_range(len, 1, size - 1);
    return (size_t)len;
}

#endif
