"""The study companion: every code block of docs/learn prints what stands beneath it, and every link leads somewhere.

The code in docs/kernels.md is that of benchmarks/ladder.py, whose rungs agree, and of the compiled loops.

After a change that is meant: ``python docs/learn/run.py --update``, and read the diff.
"""

import importlib
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RUNNER = runpy.run_path(str(DOCS / "learn" / "run.py"))
PAGES = [*sorted((DOCS / "learn").glob("*.md")), DOCS / "kernels.md"]


@pytest.mark.parametrize("chapter", RUNNER["CHAPTERS"], ids=lambda chapter: chapter.stem)
def test_chapter_prints_what_it_says(chapter, tmp_path):
    changes = RUNNER["difference"](chapter, tmp_path)
    assert not changes, f"\n{changes}"


def test_all_chapters_are_there():
    assert [chapter.name[0] for chapter in RUNNER["CHAPTERS"]] == list("123456789")


def test_a_changed_output_is_seen(tmp_path):
    chapter = tmp_path / "1-wrong.md"
    chapter.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```python\nprint('new')\n```\n")
    changes = RUNNER["difference"](chapter, tmp_path)
    assert "-3\n+2" in changes and "+new" in changes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
    assert targets and not missing


def test_the_code_in_kernels_is_that_which_runs():
    sources = [ROOT / "benchmarks" / "ladder.py", *(ROOT / "minigan" / "backend" / "numba").glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / "kernels.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 10
    assert [block for block in blocks if block not in code] == []


def test_the_rungs_of_the_ladder_agree(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT)
    ladder = importlib.import_module("benchmarks.ladder")
    row = ladder.climb(rounds=1, sizes=(11, 8, 4, 5))  # samples that do not fill the last tile
    assert max(row["errors"].values()) < 1e-5
    assert all(name in ladder.table(row) for name in row["errors"])
    ladder.draw(tmp_path / "ladder.png", row)
    assert (tmp_path / "ladder.png").stat().st_size > 1000
