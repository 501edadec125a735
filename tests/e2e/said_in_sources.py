"""What esod tells people, collected from its sources: reasons of conditions and events, messages, lines of the log."""

import re

from harness import ROOT

LITERAL = r'"((?:[^"\\]|\\.)*)"'
CALL = re.compile(r"\b(\w+)\(")


def sources(*rooms):
    return sorted(f for room in rooms for f in (ROOT / "core" / room).glob("*.c"))


def arguments(text, start):
    """The arguments of a call, from behind its parenthesis; commas in literals and in brackets are none of ours."""
    out, depth, begin, at = [], 0, start, start
    while True:
        c = text[at]
        if c == '"':
            at = re.compile(LITERAL).match(text, at).end()
            continue
        if c == "'":
            at = re.compile(r"'(?:[^'\\]|\\.)+'").match(text, at).end()
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}" and depth:
            depth -= 1
        elif c == "," and not depth or c == ")":
            out.append(text[begin:at].strip())
            begin = at + 1
            if c == ")":
                return out
        at += 1


def calls(files, *names):
    """(name, arguments) of each call of these functions."""
    for file in files:
        text = re.sub(r"/\*.*?\*/", lambda m: " " * len(m.group()), file.read_text(), flags=re.S)
        for found in CALL.finditer(text):
            if found.group(1) in names:
                yield found.group(1), arguments(text, found.end())


def texts(argument):
    """The texts that an expression may be: adjacent literals are one, and a choice has several."""
    pieces = re.findall(rf"(?:{LITERAL}\s*)+", argument)
    if not pieces:
        return []
    return ["".join(re.findall(LITERAL, m.group())).replace('\\"', '"').replace("\\\\", "\\")
            for m in re.finditer(rf"(?:{LITERAL}\s*)+", argument)]


def members(files, name):
    """The texts that a member of a struct is set to, or a variable of that name."""
    for file in files:
        for m in re.finditer(rf"\b{name}\s*=\s*((?:{LITERAL}\s*)+|[^,;}}\"]*\?[^,;}}]*)", file.read_text()):
            yield from texts(m.group(1))


REPORTS = {"es_pass_report": 1, "es_pass_report_and_wait": 1, "es_push_report": 1, "refuse": 1, "report": 1,
           "remove_stale": 1}


def reasons():
    """Of conditions and of events."""
    files = sources("controller", "cmd")
    found = set(members(files, "reason")) | set(members(files, "failure"))
    for name, args in calls(files, "es_pass_finish", "es_pass_say", "es_event_record", "say", "say_done"):
        at = {"es_pass_finish": 1, "es_pass_say": 2, "es_event_record": 4, "say": 2, "say_done": 1}[name]
        found |= {t for a in args[at:at + 1] for t in texts(a)}
    return {r for r in found if re.fullmatch(r"[A-Z]\w+", r)}


def messages():
    """The texts that conditions begin with, and those of events."""
    files = sources("controller", "cmd")
    found = set().union(*(members(files, name) for name in ("message", r"\*ret_message", "taken", "not_written", "not_deleted")))
    for name, args in calls(files, *REPORTS):
        found |= {t for a in args[REPORTS[name]:REPORTS[name] + 1] for t in texts(a)}
    for name, args in calls(files, "es_pass_finish", "es_pass_say", "say"):
        at = {"es_pass_finish": 2, "es_pass_say": 3, "say": 3}[name]
        found |= {t for a in args[at:at + 1] for t in texts(a)}
    return found


def causes(*rooms):
    """What stands behind them: formats of errors."""
    found = set()
    for name, args in calls(sources(*rooms), "es_error_set", "es_error_wrap"):
        at = {"es_error_set": 2, "es_error_wrap": 1}[name]
        found |= {t for a in args[at:at + 1] for t in texts(a)}
    return found


def log_lines():
    """Those of level warn and error; a level that is computed counts as well."""
    found = set()
    files = [f for f in (ROOT / "core").glob("*/*.c") if f.parent.name not in ("base", "check")]
    for _, args in calls(files, "es_log", "es_log_plain"):
        if len(args) > 2 and not re.fullmatch(r"ES_(INFO|DEBUG)", args[0]):
            found |= set(texts(args[2]))
    return found


def fixed_pieces(text):
    """What of a format is always there: the pieces between conversions, as people see them."""
    return [p for p in re.split(r"%(?:\.\*|\.\d+)?(?:ll|l|z)?[a-z]", text.replace("%%", "%")) if p.strip(' ":;,.')]


def findings():
    """Of esod preflight, but for those that are fine, or have nothing but numbers to say."""
    found = {t for _, args in calls(sources("preflight"), "es_report_add") if args[2] != "ES_FINE" for t in texts(args[3])}
    return found - {"%s, Kubernetes %s, answered in %lld ms"}


def chart_refusals():
    """With what helm ends: the texts of `fail`, what the checks of the cluster find, and the remedies in their names."""
    found = set()
    for file in (ROOT / "deploy" / "helm" / "esod" / "templates").rglob("*.*"):
        text = file.read_text()
        found |= {m.group(1).replace('\\"', '"') for m in re.finditer(rf'\bfail \(?(?:printf )?{LITERAL}', text)}
        found |= set(re.findall(r'define "[\w.]+ (\(.*?\))"', text))
        found |= {re.sub(r"\{\{.*?\}\}", "%s", line) for line in text.splitlines() if re.match(r"\{\{ [^}]+\}\}:? [a-z].*\.$", line)}
    return found
