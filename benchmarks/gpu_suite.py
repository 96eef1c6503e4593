"""The one command for an NVIDIA GPU that is lent for minutes: what matters most first, and nothing lost.

    python -m benchmarks.gpu_suite                               # all parts, within 330 seconds
    python -m benchmarks.gpu_suite --budget 900
    python -m benchmarks.gpu_suite --only steps --only profile   # some of them
    python -m benchmarks.gpu_suite --dry-run                     # does every part of it run? (tiny sizes)

Where there is no GPU, ``PYTHONPATH=tests/fake_cupy`` before the last one brings the tests' stand-in for CuPy.

Each part (see PARTS; what they do is gpu_parts.py) is a process of its own with a limit of its own, so that one that
dies, hangs or spoils its CUDA context takes nothing else with it. Results are appended as they come, to files in --out:

    summary.txt     a line a part: how it ended, seconds, its last line
    results.jsonl   every measurement, a line of JSON each, with the name of the part
    log.txt         all that the parts say
    profile.txt     time by kernel, minigan's beside PyTorch's

Needs CuPy; PyTorch and pytest for the parts that are about them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness import table
from minigan.cli import user_errors
from minigan.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
BUDGET = 330.0  # seconds
LEAST = 8.0  # seconds that a part needs to come to anything
GRACE = 6.0  # seconds between being asked to stop and being stopped
WORKERS = 8  # of pytest


class Part(NamedTuple):
    name: str
    limit: float  # seconds
    command: Sequence[str]


def body(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gpu_parts", name, *arguments]


def pytest(*arguments: str) -> list[str]:
    """Without this project's own options, which ask for pytest-xdist: it is used where it is."""
    workers = ["-p", "xdist.plugin", "-n", str(WORKERS), "--dist", "worksteal"] if find_spec("xdist") else []
    settings = ["-o", "addopts=", "-p", "no:cacheprovider", "--strict-markers", "--continue-on-collection-errors"]
    return [sys.executable, "-m", "pytest", *settings, *workers, "--maxfail", "60", "--tb", "short", "-rfE", *arguments]


SANITIZER = ["compute-sanitizer", "--error-exitcode", "9"]
GPU_FILES = [
    f"tests/test_{name}.py" for name in ("gpu", "cupy_backend", "capture", "upload")
]  # first, the others after
EXAMPLE = [sys.executable, "examples/mnist_gan.py", "--backend", "cupy", "--quiet", "--out", "{out}/example-{time}"]

PARTS = [  # in order of value
    Part("environment", 30, body("environment")),
    Part("compile", 60, body("compile")),
    Part("kernels", 60, body("kernels")),
    Part("capture", 45, body("capture")),
    Part("tests", 120, pytest("-m", "gpu", *GPU_FILES, "tests")),
    Part("example", 40, [*EXAMPLE, "--steps", "300"]),
    Part("lockstep", 40, body("lockstep")),
    Part("steps", 50, body("steps", "mnist_dcgan", "128")),
    Part("steps-64", 60, body("steps", "dcgan64", "128")),
    Part("profile", 60, body("profile")),
    Part("convolutions", 30, body("convolutions")),
    Part("memcheck", 60, [*SANITIZER, *body("sanitize")]),
    Part("racecheck", 60, [*SANITIZER, "--tool", "racecheck", *body("sanitize")]),
    Part("compiled", 100, body("steps", "mnist_dcgan", "128", "compiled")),
    Part("steps-others", 150, body("steps", "mnist_dcgan,dcgan64", "64,512,256")),
]  # fmt: skip
DRY = {  # instead, where it is only to be seen that all runs
    "tests": pytest("--collect-only", "-q", "-m", "gpu", GPU_FILES[0]),
    "example": [*EXAMPLE, "--dry-run", "--batch-size", "4"],
    "memcheck": body("sanitize"),
    "racecheck": body("sanitize"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(part.name for part in PARTS)
    parser.add_argument("--budget", type=float, default=BUDGET, metavar="SECONDS", help=f"in all (default: {BUDGET:g})")
    parser.add_argument("--only", action="append", metavar="PART", help=f"may be repeated; one of {names}")
    parser.add_argument("--out", default="out/gpu", metavar="DIR", help="where results are appended (default: out/gpu)")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, PyTorch on the CPU: shows that all runs")
    return user_errors(suite, parser.parse_args())


def suite(args: argparse.Namespace) -> int:
    unknown = set(args.only or ()) - {part.name for part in PARTS}
    if unknown:
        raise InputError(f"--only {', '.join(sorted(unknown))}: choose of {', '.join(part.name for part in PARTS)}")
    if not args.budget > 0:
        raise InputError(f"--budget {args.budget:g} must be above 0 seconds")
    parts = [part for part in PARTS if not args.only or part.name in args.only]
    if args.dry_run:
        commands = [DRY.get(part.name, [*part.command, "--dry-run"]) for part in parts]
        parts = [Part(part.name, args.budget, command) for part, command in zip(parts, commands, strict=True)]
    else:
        check_gpu()
    out = Path(args.out).resolve()
    ended = drive(parts, args.budget, out)
    rows = [row for row in results(out) if "spread" in row]
    print(*([table(rows)] if rows else []), f"results: {out}", sep="\n")
    return int(any(how != "0" for how in ended.values()))


def check_gpu() -> None:
    """Raises InputError where no GPU can be used. Asked in a process of its own: this one is not to hold the device."""
    code = "from minigan import backend; print(backend.available()['cupy'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    reason = done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
    if reason:
        raise InputError(reason)


def drive(parts: Sequence[Part], budget: float, out: Path) -> dict[str, str]:
    """Run the parts one after the other, as long as there is time; how each ended, "0" where all was well."""
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    ended: dict[str, str] = {}
    for part in parts:
        left = budget - (time.monotonic() - start)
        if left < min(LEAST, part.limit):
            ended[part.name] = "left out"
            tell(out, f"{part.name:13} left out: {max(left, 0):.0f} of {budget:g} s are left")
            continue
        begun = time.monotonic()
        with open(out / "log.txt", "ab") as log:
            log.write(f"\n======== {part.name}, at {begun - start:.0f} s: {' '.join(part.command)}\n".encode())
            log.flush()
            at = log.tell()
            ended[part.name] = run(part, min(part.limit, left), out, log)
        said = (out / "log.txt").read_bytes()[at:].decode(errors="replace").strip().splitlines()
        last = said[-1][:160] if said else ""
        tell(out, f"{part.name:13} {ended[part.name]:8} {time.monotonic() - begun:6.1f} s   {last}")
    return ended


def run(part: Part, limit: float, out: Path, log: object) -> str:
    """One part: its exit status, or why it has none."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg", "GPU_SUITE_OUT": str(out)}
    environment["GPU_SUITE_PART"], environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = part.name, "1"
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/cuda/bin"])
    environment.setdefault("CUPY_CACHE_DIR", str(out / "kernels"))  # what one part has compiled, the next one finds
    try:
        process = subprocess.Popen(
            [word.replace("{out}", str(out)).replace("{time}", str(int(time.time()))) for word in part.command],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        return f"not run ({error.strerror}: {error.filename})"
    try:
        return str(process.wait(limit))
    except subprocess.TimeoutExpired:
        return "cut off"
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """End it and all that it has started; SIGINT first, upon which pytest still tells what it has."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            if number == signal.SIGKILL:
                return


def tell(out: Path, line: str) -> None:
    print(line, flush=True)
    with open(out / "summary.txt", "a") as file:
        file.write(line + "\n")


def results(out: Path) -> list[dict]:
    file = out / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    sys.exit(main())
