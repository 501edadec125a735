//go:build tools

// Pins the Vault that the end-to-end tests start.
package tools

import _ "github.com/hashicorp/vault"
