//go:build tools

// Pins the etcd that the end-to-end tests start.
package tools

import _ "go.etcd.io/etcd/server/v3"
