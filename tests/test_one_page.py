"""The example on one page: it runs as it stands, and stays a page."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "examples/one_page.py"


def test_it_trains_and_draws(tmp_path):
    run = [sys.executable, PAGE, "2"]
    told = subprocess.run(run, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("step 2: the detective's loss ") and not told.stderr
    with Image.open(tmp_path / "out/one-page-0002.png") as picture:
        assert picture.size == (8 * 30 + 2, 8 * 30 + 2)


def test_it_is_a_page():
    assert len(PAGE.read_text().splitlines()) <= 60
