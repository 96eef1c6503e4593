"""The documents: every link and file is there, every command is understood, the short pages stay short."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from minigan import __version__, cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
AT_MOST = {"docs/quality.md": 1500, "docs/performance.md": 1500}  # words
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
NAMES = {command.__name__.rsplit(".")[-1].strip("_") for command in cli.COMMANDS}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(text):
    return FENCED.sub("", text)


@cache
def headings(page):
    """The anchors of a page, as they are made of its headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page, text):
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", prose(text)) + re.findall(r'<img src="([^"]+)"', text):
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        if not target.startswith("http") and (
            not found.exists() or (anchor and found.suffix == ".md" and anchor not in headings(found))
        ):
            yield target


def missing_files(text):
    """Files of the project that a page names in code."""
    named = re.findall(r"`((?:minigan|tests|benchmarks|examples|docs)/[\w/.-]+\.\w+)`", prose(text))
    return [name for name in named if not (ROOT / name).exists()]


def commands(text):
    """What a reader is told to type, from blocks and from code within a line, without comments."""
    blocks = "".join(block for kind, block in FENCED.findall(text) if kind != "text").replace("\\\n", " ").splitlines()
    indented = re.findall(r"^    (.+)$", prose(text), re.M)
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(text))]
    for line in [*blocks, *indented, *inline]:
        for one in re.split(r"&&|\|", line):
            if re.match(r"(\w+=\S+ )*(python|minigan) \S", one.strip()):
                yield re.sub(r"^(\w+=\S+ )+", "", one.strip())


def not_understood(text):
    for command in commands(text):
        words = shlex.split(command, comments=True)
        if words[0] == "minigan":  # in prose, where arguments may be left out
            if words[1] not in NAMES:
                yield command
        elif words[:3] == ["python", "-m", "minigan"]:
            try:
                cli.parser().parse_args(words[3:] or ["--version"])
            except SystemExit as end:
                if end.code:
                    yield command
        elif words[:2] == ["python", "-m"] and words[2].startswith("benchmarks"):
            place = ROOT / words[2].replace(".", "/")
            if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists():
                yield command
        elif len(words) > 1 and words[1].endswith(".py") and not (ROOT / words[1]).exists():
            yield command


@pages
def test_links_lead_somewhere(page):
    assert list(broken(page, page.read_text(encoding="utf-8"))) == []


@pages
def test_files_that_are_named_are_there(page):
    assert missing_files(page.read_text(encoding="utf-8")) == []


@pages
def test_commands_are_understood(page, capsys):
    assert list(not_understood(page.read_text(encoding="utf-8"))) == []


def test_a_mistake_is_seen(capsys):
    page = ROOT / "docs" / "README.md"
    links = '[a](README.md) [b](absent.md) [c](quality.md#absent) [d](#absent) <img src="a.png">'
    assert list(broken(page, links)) == ["absent.md", "quality.md#absent", "#absent", "a.png"]
    assert missing_files("`minigan/cli.py` and `minigan/absent.py`") == ["minigan/absent.py"]
    told = "```\npython -m minigan sample out -n 3  # right\npython -m minigan sample out --absent\n```\n"
    told += (
        "`python -m benchmarks.absent` `minigan absent` `python examples/absent.py` `OUT=1 python -m minigan models`"
    )
    assert [command.split()[-1] for command in not_understood(told)] == [
        "--absent", "benchmarks.absent", "absent", "examples/absent.py"
    ]  # fmt: skip


@pytest.mark.parametrize("name", AT_MOST)
def test_short_pages_stay_short(name):
    assert len((ROOT / name).read_text(encoding="utf-8").split()) <= AT_MOST[name]


def test_the_map_has_every_page():
    shown = set(re.findall(r"\]\(([^)#\s]+)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in ROOT.glob("docs/*.md")} - {"README.md"} <= shown


def rows(name, table):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!-- table: {table} -->\n(.*?)<!-- end -->", text, re.S)
    lines = [line for line in found.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_short_tables_are_of_the_long_ones():
    every = [row[:2] for row in rows("quality/recipes.md", "recipes")]
    assert all(row in every for row in rows("quality.md", "search"))
    means = {name: distance for name, _, distance, *_ in rows("quality/equivalence.md", "quality")}
    tests = {
        name: (interval, verdict) for name, _, interval, *_, verdict in rows("quality/equivalence.md", "equivalence")
    }
    short = rows("quality.md", "verdicts")
    assert len(short) > 2
    for name, _, distance, reference, interval, _, verdict in short:
        assert distance == means[name] and reference == means[f"{name.split(': ')[0]}: PyTorch"]
        assert tests[f"{name}, Frechet distance"] == (interval, verdict)


def test_the_version_is_told_once():
    citation, changes = ((ROOT / name).read_text(encoding="utf-8") for name in ("CITATION.cff", "CHANGELOG.md"))
    assert re.search(r"^version: (.+)$", citation, re.M)[1] == __version__
    assert re.search(r"^## (.+)$", changes, re.M)[1] in (__version__, "Unreleased")
