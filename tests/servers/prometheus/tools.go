//go:build tools

// Pins the Prometheus that reads esod's metrics in the tests, and the promtool that checks its rules.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
