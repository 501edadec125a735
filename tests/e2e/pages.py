"""The pages of the tree, read as Markdown: their blocks and links; and running what they tell a reader to type.

What the mark of a block means, on every page:

    sh        is run, from the top of the page to its bottom, in one shell
    text      after sh: lines that have to come out, in this order
    console   is not run; a comment before it says why: <!-- not run: REASON -->
    yaml      whole manifests are ones that the API server takes
"""

import dataclasses
import os
import re
import signal
import subprocess
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin

from harness import ROOT

MARKDOWN = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=6)
EXCUSE = re.compile(r"<!-- not run: (.+?) -->")
END_OF_STEP = "---- end of step"


@dataclasses.dataclass
class Block:
    kind: str
    text: str
    line: int
    section: str        # the heading above it
    excuse: str | None  # why it is not run, if the page says so


@dataclasses.dataclass
class Step:
    commands: str
    line: int
    section: str
    expected: list


class Page:
    def __init__(self, path):
        self.path = Path(path)
        self.name = str(self.path.relative_to(ROOT))
        self.tokens = MARKDOWN.parse(self.path.read_text())

    def blocks(self, kind=None):
        found, before, section = [], None, ""
        for token in self.tokens:
            if before is not None and before.type == "heading_open":
                section = "".join(c.content for c in token.children)
            if token.type == "fence":
                said = EXCUSE.search(before.content) if before is not None and before.type == "html_block" else None
                words = token.info.split() or [""]
                found.append(Block(words[0], token.content, token.map[0] + 1, section, said and said.group(1)))
            before = token
        return [b for b in found if kind is None or b.kind == kind]

    def steps(self):
        """The blocks for the shell, each with the lines that are to come out of it."""
        found, last = [], None
        for block in self.blocks():
            if block.kind == "sh":
                found.append(Step(block.text, block.line, block.section, []))
            elif block.kind == "text" and last in ("sh", "text") and found:
                found[-1].expected += block.text.splitlines()
            last = block.kind
        return found

    def manifests(self):
        """The objects in the page's YAML blocks; what has no kind is a piece of something and no manifest."""
        found = []
        for block in self.blocks("yaml"):
            found += [o for o in yaml.safe_load_all(block.text) if isinstance(o, dict) and "kind" in o and "apiVersion" in o]
        return found

    def anchors(self):
        return {t.attrs["id"] for t in self.tokens if t.type == "heading_open"}

    def links(self):
        """(target, line) of links and images, without those to the network."""
        found = []
        for token in self.tokens:
            for child in token.children or []:
                target = child.attrs.get("href") or child.attrs.get("src")
                if target and not re.match(r"[a-z]+:", str(target)):
                    found.append((str(target), token.map[0] + 1))
        return found


def all_pages():
    """Every page of the tree; what was built or fetched is none."""
    out = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n not in ("build", "node_modules") and not n.startswith(".")]
        out += [Path(folder) / f for f in files if f.endswith(".md")]
    return [Page(p) for p in sorted(out)]


def script(steps):
    lines = ["set -euo pipefail", "trap 'code=$?; kill $(jobs -p) 2>/dev/null || :; wait; exit $code' EXIT"]
    for step in steps:
        lines += [step.commands, f"printf '\\n%s\\n' '{END_OF_STEP}'"]
    return "\n".join(lines)


def bounded(command, cwd, env, timeout):
    """(exit code, stdout, stderr) of a command; what is not done in time is ended, with whatever it started."""
    shell = subprocess.Popen(command, cwd=cwd, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = shell.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        out, err = shell.communicate()
        err += f"\nnot done after {timeout} s"
    return shell.returncode, out, err


def follow(page, cwd, env, timeout, edit=lambda text: text, sections=None):
    """Runs the page's steps in one shell and looks for what the page says comes out. Returns all that came out.

    `edit` changes what is run where this machine differs from the reader's, and nothing else. `sections` are those that
    are run, in this order; by default all."""
    steps = page.steps()
    if sections is not None:
        assert set(sections) <= {s.section for s in steps}, f"{page.name} has not all of these sections with commands: {sections}"
        steps = [s for section in sections for s in steps if s.section == section]
    assert steps, f"{page.name} has nothing to run"
    code, out, err = bounded(["bash", "-c", edit(script(steps))], cwd, env, timeout)
    done = out.split(END_OF_STEP + "\n")
    where = steps[min(len(done), len(steps)) - 1]
    assert code == 0, f"{page.name}:{where.line}: exit code {code} after\n{where.commands}\n{out[-6000:]}\n{err[-6000:]}"
    for step, output in zip(steps, done):
        seen = iter(output.splitlines())
        for line in step.expected:
            assert any(line == s for s in seen), \
                f"{page.name}:{step.line}: missing or out of order: {line}\nafter\n{step.commands}\n{output}\n{err[-3000:]}"
    return out
