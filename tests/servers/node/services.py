"""What pods reach beside themselves: the API server, and what services.json names.

    {"vault/vault": {"8200": 18200},        http://vault.vault.svc:8200 is this machine's 127.0.0.1:18200
     "127.0.0.1": {"18300": 18300}}         the same address inside as outside
"""

import json
from pathlib import Path

API_ADDRESS = "10.0.0.1"


class Services:
    def __init__(self, folder, api_port):
        self.file = Path(folder) / "services.json"
        self.api_port = api_port
        self._read, self._known, self._addresses = None, {}, {}

    def _current(self):
        try:
            changed = self.file.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self._read:
            self._known, self._read = json.loads(self.file.read_text()), changed
        return self._known

    def _address(self, name):
        if "/" not in name:
            return name
        return self._addresses.setdefault(name, f"10.0.255.{len(self._addresses) + 1}")

    def open(self, network, hosts, pod_name):
        """Makes doors for all that is named by now, and names for them."""
        network.open_out(API_ADDRESS, 443, self.api_port)
        lines = ["127.0.0.1 localhost", "::1 localhost", f"{network.address} {pod_name}",
                 f"{API_ADDRESS} kubernetes.default.svc kubernetes.default.svc.cluster.local kubernetes.default"]
        for name, ports in self._current().items():
            address = self._address(name)
            for port, target in ports.items():
                network.open_out(address, int(port), int(target))
            if "/" in name:
                namespace, service = name.split("/")
                short = f"{service}.{namespace}"
                lines.append(f"{address} {short}.svc {short}.svc.cluster.local {short}")
        text = "\n".join(lines) + "\n"
        if not hosts.exists() or hosts.read_text() != text:
            hosts.write_text(text)  # in place: it is mounted into the containers
