// Reads dashboards as Grafana's own types define them, down to the options of
// panels and the fields of queries, and says what does not fit.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/gauge"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// What is not registered here is not looked into. All of the SDK would take
// half a minute to build.
func known() map[string]bool {
	names := map[string]bool{"row": true}
	runtime := cog.NewRuntime()
	for _, config := range []variants.PanelcfgConfig{bargauge.VariantConfig(), gauge.VariantConfig(), heatmap.VariantConfig(),
		stat.VariantConfig(), statetimeline.VariantConfig(), table.VariantConfig(), timeseries.VariantConfig()} {
		runtime.RegisterPanelcfgVariant(config)
		names[config.Identifier] = true
	}
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	return names
}

func checkPanels(panels []dashboard.PanelOrRowPanel, names map[string]bool) error {
	for _, p := range panels {
		switch {
		case p.Panel != nil && !names[p.Panel.Type]:
			return fmt.Errorf("panel type %q is not one that is looked into; add it to main.go", p.Panel.Type)
		case p.RowPanel != nil:
			for _, inner := range p.RowPanel.Panels {
				if !names[inner.Type] {
					return fmt.Errorf("panel type %q is not one that is looked into; add it to main.go", inner.Type)
				}
			}
		}
	}
	return nil
}

func check(path string, names map[string]bool) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// Strictly, for the faults; then once more, since what is read strictly is left without its panels. An
	// empty list of errors is an error to Go, and none to the SDK.
	var strict, read dashboard.Dashboard
	var list cog.BuildErrors
	if err := strict.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &list) || len(list) > 0) {
		return err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	if err := read.Validate(); err != nil {
		return err
	}
	if want := dashboard.NewDashboard().SchemaVersion; read.SchemaVersion != want {
		return fmt.Errorf("schemaVersion is %d; the current one is %d", read.SchemaVersion, want)
	}
	return checkPanels(read.Panels, names)
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: grafana-schema DASHBOARD.json...")
		os.Exit(2)
	}
	names := known()
	status := 0
	for _, path := range os.Args[1:] {
		if err := check(path, names); err != nil {
			fmt.Fprintf(os.Stderr, "grafana-schema: %s: %v\n", path, err)
			status = 1
		}
	}
	os.Exit(status)
}
