//go:build tools

// Pins the Helm that the chart is packaged and tested with.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
