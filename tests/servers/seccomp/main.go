// Prints the seccomp profile that containerd gives a container with RuntimeDefault
// and no capabilities, as a runtime's config.json wants it.
package main

import (
	"encoding/json"
	"os"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	none := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}}
	if err := json.NewEncoder(os.Stdout).Encode(seccomp.DefaultProfile(none)); err != nil {
		os.Exit(1)
	}
}
