"""Kills a run with SIGKILL at random moments, resumes it each time, and compares it with one left in peace.

    python -m benchmarks.kill_test --kills 30
    python -m benchmarks.kill_test --kills 20 --ranks 2   # a random one of two processes

The run is the MNIST example, narrowed, with a checkpoint after every step, so that many a kill comes while one is
being written: how many did is told by the temporary file that it left. The two folders must be equal, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

WAIT = 60.0  # seconds in which all ranks have ended when one was killed
ROOT = Path(__file__).parent.parent


@dataclass
class Outcome:
    kills: int  # of a process at work
    steps: int  # of the whole training
    while_writing: int  # kills that cut the writing of a file short
    differing: list[str]  # files that are not those of the undisturbed training

    def __str__(self) -> str:
        equal = f"DIFFERENT in {', '.join(self.differing)}" if self.differing else "equal, byte for byte"
        return f"{self.kills} kills in {self.steps} steps, {self.while_writing} while a file was being written: {equal}"


def run(kills: int, seed: int, folder: Path, settings: list[str], pause: float, ranks: int = 1) -> Outcome:
    """Kill ``kills`` times, each up to ``pause`` seconds after the run has come back to work; with several ``ranks``, a
    random one of them, and the others have to end by themselves."""
    rng = random.Random(seed)
    peace, war = folder / "peace", folder / "war"
    done, while_writing, resume = 0, 0, False
    while True:
        process = start(war, settings, resume, ranks)
        if done < kills and at_work(process, war):
            time.sleep(rng.uniform(0, pause))
            if process.poll() is None:
                kill(process, rng, ranks)
                process.communicate(timeout=WAIT)
                done += 1
                while_writing += any(war.rglob(".*.tmp"))
                resume = True
                continue
        finish(process)
        break
    if done < kills:
        raise SystemExit(f"the training ended after {done} kills: give it more --steps")
    finish(start(peace, settings, resume=False, ranks=ranks))
    one, other = contents(peace), contents(war)
    differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return Outcome(done, len((war / "metrics.jsonl").read_text().splitlines()), while_writing, differing)


def kill(process: subprocess.Popen[str], rng: random.Random, ranks: int) -> None:
    """The process, or one of the ranks that mpiexec has started."""
    if ranks == 1:
        process.kill()
        return
    import psutil

    below = psutil.Process(process.pid).children(recursive=True)
    pythons = [one for one in below if "examples" in " ".join(one.cmdline()) and "--out" in one.cmdline()]
    rng.choice([one for one in pythons if "python" in one.name()]).kill()


def start(out: Path, settings: list[str], resume: bool, ranks: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "examples" / "mnist_gan.py"), "--out", str(out), "--quiet", *settings]
    if ranks > 1:
        command = [shutil.which("mpiexec") or "mpiexec", "-n", str(ranks), *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command + ["--resume"] * resume, stdout=pipe, stderr=pipe, text=True, env=environment)


def at_work(process: subprocess.Popen[str], out: Path) -> bool:
    """Wait until the process writes to its folder; False when it ended before."""
    before = newest_change(out)
    while process.poll() is None:
        if newest_change(out) != before and (out / "metrics.jsonl").exists():
            return True
        time.sleep(0.005)
    return False


def newest_change(out: Path) -> int:
    try:
        return (out / "metrics.jsonl").stat().st_mtime_ns
    except OSError:
        return 0


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    if process.returncode or "Traceback" in errors:
        raise SystemExit(f"the training failed with {process.returncode}: {errors}")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--steps", type=int, default=6000, help="of the training (default: 6000)")
    parser.add_argument("--pause", type=float, default=2.0, help="at most so many seconds of work between two kills")
    parser.add_argument("--ranks", type=int, default=1, help="processes, started by mpiexec; a random one is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    settings = ["--width", "4", "--batch-size", "16", "--threads", "1", "--checkpoint-every", "1"]
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(
            args.kills, args.seed, Path(folder), [*settings, "--steps", str(args.steps)], args.pause, args.ranks
        )
    print(outcome)
    return 1 if outcome.differing else 0


if __name__ == "__main__":
    sys.exit(main())
