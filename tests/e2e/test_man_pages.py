"""What esod tells about its command line beside --help: the man pages, and completion, driven in real shells."""

import fcntl
import os
import pty
import re
import shutil
import subprocess
import termios
import time

import pytest

from commands import esod  # noqa: F401
from harness import ROOT, build_dir

BIN, MAN = build_dir() / "bin", build_dir() / "man"
PLUGINS = build_dir() / "lib/esod/plugins"


def flags_of(esod, command):
    return re.findall(r"^  (?:-\w, )?(--[\w-]+)", esod(command, "--help").stdout, re.M)


@pytest.fixture
def commands(esod):
    return re.findall(r"^  (\w+) ", esod("--help").stdout, re.M)


# ---- man pages

def shown(page):
    """The page's text as people read it, without the breaks of its lines."""
    p = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=1000", page], capture_output=True, text=True, timeout=30, check=True)
    return " ".join(re.sub(r".\x08", "", p.stdout).split())


def plain(markdown):
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown.replace("`", "")).strip()


def rows(page, heading):
    """The cells of a table in docs/, by its heading."""
    text = (ROOT / "docs" / page).read_text()
    table = text[text.index(heading):].split("\n\n")[0].splitlines()[2:]
    return [[plain(cell) for cell in line.strip().removeprefix("|").removesuffix("|").split("|")] for line in table]


def test_there_is_a_page_for_every_command(commands):
    assert sorted(p.name for p in MAN.glob("*.[15]")) == sorted(["esod.1", "esod.yaml.5", *(f"esod-{c}.1" for c in commands)])
    for page in [*MAN.glob("*.[15]"), *MAN.glob("*.gz")]:
        p = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, timeout=30)
        # Without a date, the same sources make the same page.
        wrong = [line for line in p.stdout.splitlines() if "missing date" not in line]
        assert wrong == [] and p.stderr == ""


def test_a_page_has_every_flag(esod, commands):
    for command in commands:
        text = shown(MAN / f"esod-{command}.1")
        for flag in flags_of(esod, command):
            assert f"{flag} " in text
    overview = shown(MAN / "esod.1")
    for command in commands:
        assert f"esod-{command}(1)" in overview


def test_the_pages_say_what_the_documentation_says():
    overview, file = shown(MAN / "esod.1"), shown(MAN / "esod.yaml.5")
    codes = rows("commands.md", "| exit code | |")
    assert [code for code, _ in codes] == ["0", "1", "2", "3"]
    for code, meaning in codes:
        assert f" {code} {meaning.replace(' (operations.md)', '')}" in overview
    for variable, meaning in rows("configuration.md", "| variable | |"):
        assert variable in overview and (meaning in overview or variable == "KUBECONFIG")
    for key, flag, kind, default, _, meaning in rows("configuration.md", "| key | flag | type "):
        assert not key or f" {key} {meaning} A {kind}" in file
    for key, meaning in rows("configuration.md", "| key of an entry | |"):
        assert f" {key} {meaning}" in file


def test_esp_check_has_a_page(tmp_path):
    page = tmp_path / "esp-check.1"
    page.write_text(subprocess.run([BIN / "esp-check", "--manual"], capture_output=True, text=True, check=True).stdout)
    told = subprocess.run([BIN / "esp-check", "--help"], capture_output=True, text=True, check=True).stdout
    text = shown(page)
    for flag in re.findall(r"^  (?:-\w, )?(--[\w-]+)", told, re.M):
        assert f"{flag} " in text
    checks = subprocess.run([BIN / "esp-check", "--list"], capture_output=True, text=True, check=True).stdout
    for line in checks.splitlines():
        assert " ".join(line.split()) in text


def test_a_page_that_is_not_there(esod):
    assert esod("__manual", "esod-walk.1", code=2).stderr == "esod: there is no page esod-walk.1; without a name, all are listed\n"


# ---- completion: what esod answers

def answer(esod, *words):
    lines = esod("__complete", *words).stdout.splitlines()
    return [line.split("\t")[0] for line in lines[:-1]], lines[-1]


def test_everything_is_offered(esod, commands):
    assert answer(esod, "") == (commands, ":nothing")
    assert answer(esod) == (commands, ":nothing")
    for command in commands:
        assert answer(esod, command, "--") == (flags_of(esod, command), ":nothing")
        assert answer(esod, "help", command) == ([command], ":nothing")
    assert "run\tserve a Kubernetes cluster\n" in esod("__complete", "r").stdout
    assert "--concurrent\tObjects worked on at the same time\n" in esod("__complete", "run", "--conc").stdout


WHAT_COMES = {
    "no such command": (["walk", ""], [], ":nothing"),
    "behind help COMMAND": (["help", "run", ""], [], ":nothing"),
    "free text": (["run", "--namespace", ""], [], ":nothing"),
    "one dash": (["run", "-isolation", ""], ["process", "none"], ":nothing"),
    "the short form": (["crds", "-o", "y"], ["yaml"], ":nothing"),
    "a flag that is switched takes no word": (["crds", "--help", ""], [], ":nothing"),
    "what is switched": (["run", "--metrics-auth=t"], ["--metrics-auth=true"], ":nothing"),
    "no such flag": (["run", "--colour="], [], ":nothing"),
    "a file in the same word": (["run", "--config=x"], [], ":files"),
    "a path of a plugin": (["run", "--plugin", "./x"], [], ":files"),
    "words and folders": (["local", "-o", ""], ["table", "yaml", "json"], ":folders"),
    "plugins of a folder that is not there": (["run", "--plugin-path", "/nowhere", "--plugin", ""], [], ":nothing"),
    "a configuration that is wrong": (["run", "--config", "/nowhere", "--plugin", ""], [], ":nothing"),
    "a flag without a value behind it": (["run", "--plugin-path"], ["--plugin-path"], ":nothing"),
}


@pytest.mark.parametrize("case", WHAT_COMES)
def test_what_may_come(esod, case):
    words, want, rest = WHAT_COMES[case]
    assert answer(esod, *words) == (want, rest)


def test_plugins_are_offered_from_where_they_would_be_loaded(esod, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("one.so", "other.so", "readme.txt"):
        (folder / name).touch()
    (tmp_path / "esod.yaml").write_text("pluginPath: [mine]\n")
    for where in (["--plugin-path", str(folder)], [f"--plugin-path={folder}"], ["--config", "esod.yaml"]):
        assert answer(esod, "run", *where, "--plugin", "o") == (["one", "other"], ":nothing")
    everything, _ = answer(esod, "run", "--plugin=")
    assert everything[:2] == ["--plugin=aws", "--plugin=fake"]


# ---- completion: what shells make of it

ALL_MATCHES = {
    "bash": "\x1b*",
    "zsh": "\x18a",
}
SET_UP = {
    "bash": "unset HISTFILE; PS1=; bind 'set enable-bracketed-paste off'; source ./script\n",
    # Behind compinit, as an installed script is found. What matches is inserted, all of it.
    "zsh": "unset HISTFILE; PS1=; fpath=($PWD/functions $fpath); unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; bindkey -e\n"
           "zle -C all-matches complete-word _generic; zstyle ':completion:all-matches:*' completer _all_matches _complete;"
           " zstyle ':completion:all-matches:*' insert true; bindkey '^Xa' all-matches\n",
}


class Terminal:
    """An interactive shell that somebody types into."""

    def __init__(self, shell, folder):
        self.shell = shell
        arguments = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe(arguments[0], arguments, {"PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(folder), "LC_ALL": "C"})
        self.pid = pid
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, b"\x18\x00\xe8\x03\x00\x00\x00\x00")  # 1000 columns: nothing is wrapped
        self.type(SET_UP[shell])

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def completed(self, line):
        """The words of the line, once everything that may come has been put in: an echo tells."""
        self.type(f"{line}{ALL_MATCHES[self.shell]}\x01printf '<%s>\\n' BEGIN \x05 END\r")
        seen, end = "", time.monotonic() + 20
        while "<END>\r\n" not in seen.replace("\r\r", "\r"):
            assert time.monotonic() < end, seen
            seen += os.read(self.fd, 65536).decode(errors="replace")
        out = seen[seen.index("<BEGIN>"):]
        return re.findall(r"<([^>\r\n]*)>", out)[1:-1]

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Fish:
    def __init__(self, folder):
        self.folder = folder

    def completed(self, line):
        p = subprocess.run(["fish", "--no-config", "-c", "source ./script; complete -C $argv[1]", line], capture_output=True, text=True,
                           cwd=self.folder, timeout=30, env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.folder), "LC_ALL": "C"})
        assert p.returncode == 0 and p.stderr == "", p.stderr
        return line.split()[:-1 if not line.endswith(" ") else None] + [c.split("\t")[0] for c in p.stdout.splitlines()]


LINES = {
    "esod pl": ["plugins"],
    "esod cr": ["crds"],
    "esod plugins ver": ["verify"],
    "esod help loc": ["local"],
    "esod completion ": ["bash", "fish", "zsh"],
    "esod run --isol": ["--isolation"],
    "esod run --isolation ": ["none", "process"],
    "esod run --isolation=pro": ["--isolation=process"],
    "esod run --zap-time-encoding rfc": ["rfc3339", "rfc3339nano"],
    "esod run --metrics-secure=f": ["--metrics-secure=false"],
    "esod run --config es": ["esod.yaml"],
    "esod run --config=es": ["--config=esod.yaml"],
    "esod render template": ["template one.txt"],
    "esod local fol": ["folder/"],
    "esod run --plugin we": ["webhook"],
    "esod run --namespace ": [],
}


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request, esod, tmp_path):
    assert shutil.which(request.param), f"there is no {request.param}; run scripts/deps.sh test"
    (tmp_path / "script").write_text(esod("completion", request.param).stdout)
    (tmp_path / "functions").mkdir()
    shutil.copy(tmp_path / "script", tmp_path / "functions/_esod")
    (tmp_path / "folder").mkdir()
    for name in ("esod.yaml", "template one.txt", "fol.txt"):
        (tmp_path / name).touch()
    made = Fish(tmp_path) if request.param == "fish" else Terminal(request.param, tmp_path)
    yield made
    if request.param != "fish":
        made.close()


def test_a_shell_completes(shell):
    wrong = {}
    for line, want in LINES.items():
        whole = line.split() if line.endswith(" ") else line.split()[:-1]
        got = shell.completed(line)
        # Nothing to offer leaves the line as it was.
        if sorted(g.replace("\\ ", " ").rstrip("/") for g in got) != sorted(w.rstrip("/") for w in whole + want):
            wrong[line] = got
    assert wrong == {}


def test_zsh_takes_the_script_in_its_start_file(esod, tmp_path):
    """source <(esod completion zsh), where nobody calls the function."""
    (tmp_path / "script").write_text(esod("completion", "zsh").stdout)
    p = subprocess.run(["zsh", "-f", "-c", "autoload -Uz compinit; compinit -u -D; source ./script; print $_comps[esod]"], cwd=tmp_path,
                       capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert p.stdout == "_esod\n" and p.stderr == ""
