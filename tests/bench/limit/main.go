// limit measures what an API server can take without any operator: the writes
// that one synced ExternalSecret needs, sent over HTTP/2 by parallel clients.
// bench.py compares the operator with it in the same minute on the same server.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	merge   = "application/merge-patch+json"
	plain   = "application/json"
	secret  = `{"metadata":{"name":"%s","labels":{"reconcile.external-secrets.io/managed":"true"}},"data":{"s0":"dmFsdWUtMS0w","s1":"dmFsdWUtMS0x","s2":"dmFsdWUtMS0y","s3":"dmFsdWUtMS0z","s4":"dmFsdWUtMS00"}}`
	status  = `{"status":{"refreshTime":"%s","syncedResourceVersion":"1-0123456789012345678901234567890123456789012345678901234f","binding":{"name":"x"},"conditions":[{"type":"Ready","status":"True","reason":"SecretSynced","message":"secret synced","lastTransitionTime":"%s"}]}}`
	object  = `{"apiVersion":"external-secrets.io/v1","kind":"ExternalSecret","metadata":{"name":"%s"},"spec":{"refreshInterval":"1h","secretStoreRef":{"name":"none","kind":"ClusterSecretStore"},"data":[{"secretKey":"s0","remoteRef":{"key":"/k1","property":"p0"}}]}}`
	final   = `{"metadata":{"finalizers":["externalsecrets.external-secrets.io/externalsecret-cleanup"]}}`
	nofinal = `{"metadata":{"finalizers":null}}`
	event   = `{"metadata":{"generateName":"e-"},"involvedObject":{"kind":"ExternalSecret","namespace":"%s","name":"%s"},"type":"Normal","reason":"Created","message":"secret created","count":1}`
)

type server struct {
	url, token string
	client     *http.Client
	bad        atomic.Int64
}

// send counts every answer that is no success: a limit made of refusals is none.
func (s *server) send(method, path, content, body string) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", content)
	answer, err := s.client.Do(req)
	if err != nil {
		s.bad.Add(1)
		return
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if answer.StatusCode >= 300 {
		s.bad.Add(1)
	}
}

func parallel(n, workers int, work func(i int)) float64 {
	var next atomic.Int64
	var group sync.WaitGroup
	begun := time.Now()
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		}()
	}
	group.Wait()
	return float64(n) / time.Since(begun).Seconds()
}

func main() {
	url := flag.String("server", "", "https://127.0.0.1:PORT")
	ca := flag.String("ca", "", "file with the certificate to trust")
	n := flag.Int("n", 2000, "objects")
	workers := flag.Int("parallel", 32, "clients")
	flag.Parse()

	pem, err := os.ReadFile(*ca)
	if err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(2)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	s := &server{url: *url, token: os.Getenv("TOKEN"), client: &http.Client{Timeout: 60 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}}

	ns := fmt.Sprintf("limit-%d", time.Now().UnixNano())
	s.send("POST", "/api/v1/namespaces", plain, `{"metadata":{"name":"`+ns+`"}}`)
	objects := "/apis/external-secrets.io/v1/namespaces/" + ns + "/externalsecrets"
	secrets := "/api/v1/namespaces/" + ns + "/secrets"
	events := "/api/v1/namespaces/" + ns + "/events"
	name := func(kind string, i int) string { return fmt.Sprintf("%s-%06d", kind, i) }
	patch := func(i int) {
		now := time.Now().UTC().Format(time.RFC3339)
		s.send("PATCH", objects+"/"+name("es", i)+"/status", merge, fmt.Sprintf(status, now, now))
	}
	parallel(*n, *workers, func(i int) { s.send("POST", objects, plain, fmt.Sprintf(object, name("es", i))) })

	out := map[string]float64{}
	out["secrets_per_s"] = parallel(*n, *workers, func(i int) { s.send("POST", secrets, plain, fmt.Sprintf(secret, name("a", i))) })
	out["status_per_s"] = parallel(*n, *workers, patch)
	out["two_writes_per_s"] = parallel(*n, *workers, func(i int) {
		s.send("POST", secrets, plain, fmt.Sprintf(secret, name("b", i)))
		patch(i)
	})
	// What a new ExternalSecret costs altogether: its finalizer and an event as well.
	out["four_writes_per_s"] = parallel(*n, *workers, func(i int) {
		s.send("PATCH", objects+"/"+name("es", i), merge, final)
		s.send("POST", secrets, plain, fmt.Sprintf(secret, name("c", i)))
		patch(i)
		s.send("POST", events, plain, fmt.Sprintf(event, ns, name("es", i)))
	})
	out["refused"] = float64(s.bad.Load())
	json.NewEncoder(os.Stdout).Encode(out)

	// Nothing of this may be work for the operator that is measured next.
	parallel(*n, *workers, func(i int) { s.send("PATCH", objects+"/"+name("es", i), merge, nofinal) })
	for _, path := range []string{objects, secrets, events} {
		s.send("DELETE", path, plain, "")
	}
}
