"""A real Prometheus that scrapes an esod, and is asked what people and rules would ask it."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

import controlplane
from harness import wait_for

NAMESPACE = "esod-system"  # which Prometheus gives to all that comes from a pod of esod


class Prometheus:
    """Scrapes an address twice, as the two ways to set honorLabels in a ServiceMonitor have it: job by job."""

    def __init__(self, folder, target, rules):
        self.port = controlplane.free_port()
        labels = {"namespace": NAMESPACE, "pod": "esod-0", "service": "esod-metrics", "endpoint": "metrics"}
        jobs = [{"job_name": name, "honor_labels": honor, "static_configs": [{"targets": [target], "labels": labels}]}
                for name, honor in (("exported", False), ("honored", True))]
        config = folder / "prometheus.yaml"
        config.write_text(yaml.safe_dump({"global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
                                          "rule_files": [str(rules)], "scrape_configs": jobs}))
        self.log = folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [controlplane.tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(self.is_ready, 30)
        except BaseException:
            self.stop()
            raise

    def is_ready(self):
        assert self.process.poll() is None, f"prometheus ended:\n{self.log.read_text()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, path, **query):
        """The `data` of an answer of the API; what it refuses is an AssertionError with its own words."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{query}: {json.load(e)['error']}") from None

    def now(self, expr):
        """[(labels, value)], without what is not a number."""
        found = self.ask("query", query=expr)["result"]
        return [(r["metric"], float(r["value"][1])) for r in found if r["value"][1] != "NaN"]

    def lately(self, expr, seconds=20):
        """The same of what a graph would show: the labels of each line with points, and the last of these."""
        end = time.time()
        found = self.ask("query_range", query=expr, start=end - seconds, end=end, step=1)["result"]
        points = [(r["metric"], [float(v) for _, v in r["values"] if v != "NaN"]) for r in found]
        return [(labels, values[-1]) for labels, values in points if values]

    def selectors(self, expr):
        """What the query reads, and by which labels: [(selector, labels that groupings and matchings of it name)]."""
        found = []

        def walk(node, grouping):
            if not isinstance(node, dict):
                return
            if node.get("type") in ("vectorSelector", "matrixSelector"):
                matchers = [f'{m["name"]}{m["type"]}{json.dumps(m["value"])}' for m in node["matchers"]]
                found.append(("{" + ",".join(matchers) + "}", grouping))
            if node.get("type") == "aggregation":
                grouping = grouping | (set() if node["without"] else set(node["grouping"]))
            if node.get("type") == "binaryExpr" and node["op"] in ("and", "unless"):
                on = set(node["matching"]["labels"]) if node["matching"]["on"] else set()
                walk(node["lhs"], grouping | on)
                walk(node["rhs"], on)
                return
            for child in node.values():
                for one in child if isinstance(child, list) else [child]:
                    walk(one, grouping)

        walk(self.ask("parse_query", query=expr), frozenset())
        return found
