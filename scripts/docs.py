"""The parts of scripts/docs.sh that doxygen leaves open.

    docs.py pages TO HTML    copies the pages to the directory TO, with links that hold in HTML
    docs.py quotes           finds sentences of the core that no test expects in these words
    docs.py comments XML     finds what has no comment in doxygen's XML and gets no warning
"""
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
FENCED = re.compile(r"^(```.*?^```)$", re.M | re.S)


def site():
    """The pages of the site; all other files of the tree are links out of it."""
    return sorted(Path("docs/sdk").glob("*.md")) + [Path("docs/writing-a-plugin.md"), Path("docs/plugin-loading.md")]


def link_to(page, text, target, to, html):
    """Doxygen resolves links between pages, seen from where it was started, and
    without what follows a #. It cannot know that the HTML is not where the page
    was, so what leads out of the site is written out."""
    path, _, _ = target.partition("#")
    if re.match(r"[a-z]+:", target):
        return f"[{text}]({target})"
    if not path:
        return text
    there = Path(os.path.normpath(page.parent / path))
    if not there.exists():
        raise FileNotFoundError(f"{page}: the link {target} leads nowhere")
    if there in site():
        return f"[{text}]({to / there.name})"
    return f'<a href="{os.path.relpath(there, html)}">{text}</a>'


def copy_pages(to, html):
    wrong = []
    to.mkdir(parents=True)
    for page in site():
        parts = FENCED.split(page.read_text(encoding="utf-8"))
        for i in range(0, len(parts), 2):  # every other part is a fenced block
            def replace(m, page=page):
                try:
                    return link_to(page, m[1], m[2], to, html)
                except FileNotFoundError as e:
                    wrong.append(str(e))
                    return m[0]
            parts[i] = LINK.sub(replace, parts[i])
        (to / page.name).write_text("".join(parts), encoding="utf-8")
    return wrong


def tested():
    """All that unit tests expect, as the compiler sees it: adjacent literals are one."""
    text = "".join(file.read_text(encoding="utf-8") for file in sorted(Path("tests/unit/plugin").glob("*.c")))
    return re.sub(r'"\s*"', "", text).replace('\\"', '"')


def misquoted():
    """A sentence is a code span of four words and more; ... stands for what differs."""
    known, wrong = tested(), []
    for page in (Path("docs/sdk/compatibility.md"), Path("docs/sdk/rules.md")):
        text = "".join(FENCED.split(page.read_text(encoding="utf-8"))[::2])
        for span in re.findall(r"`([^`]+)`", text):
            sentence = " ".join(span.split())
            if len(sentence.split()) >= 4 and not all(part.strip() in known for part in sentence.split("...")):
                wrong.append(f'{page}: no test in tests/unit/plugin expects "{sentence}"')
    return wrong


def has_comment(element):
    found = (element.find(name) for name in ("briefdescription", "detaileddescription"))
    return any("".join(e.itertext()).strip() for e in found if e is not None)


def uncommented(xml):
    """Enumerations and their values: doxygen warns of everything else."""
    wrong = set()
    for file in xml.glob("*.xml"):
        for enum in ET.parse(file).getroot().iter("memberdef"):
            if enum.get("kind") != "enum":
                continue
            values = enum.findall("enumvalue")
            where = enum.find("location")
            place = f"{where.get('file')}:{where.get('line')}"
            if not has_comment(enum):
                wrong.add(f"{place}: the enumeration of {values[0].findtext('name')} has no comment")
            wrong.update(f"{place}: {v.findtext('name')} has no comment" for v in values if not has_comment(v))
    return sorted(wrong)


def main(argv):
    parts = {
        "pages": lambda: copy_pages(Path(argv[2]), Path(argv[3])),
        "quotes": misquoted,
        "comments": lambda: uncommented(Path(argv[2])),
    }
    wrong = parts[argv[1]]()
    print("".join(f"{line}\n" for line in wrong), end="", file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main(sys.argv))
