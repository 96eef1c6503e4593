"""Tables from the JSON files of the benchmarks: on the screen, or into the places that a document keeps for them.

    python -m benchmarks.report DIR                                     # DIR/train_step.json, DIR/kernels.json, ...
    python -m benchmarks.report DIR --markdown docs/performance.md docs/performance/tables.md   # fill them

A place is what stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; NAME is one of those in TABLES. Plots and
raw runs go into the folder that has the name of the first document.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from minigan.files import write_atomically

from .harness import UNITS, Row, title
from .scaling import MORE_THREADS, speedup

Results = dict[str, dict[str, Any]]  # what a benchmark wrote, by its name
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--markdown", type=Path, nargs="+", metavar="FILE", help="fill the places in them")
    args = parser.parse_args()
    results = load(args.folder)
    if not results:
        print(f"no results in {args.folder}: run python -m benchmarks --json {args.folder}", file=sys.stderr)
        return 1
    if args.markdown is None:
        for name, table in tables(results).items():
            print(f"{name}\n\n{table}\n")
        return 0
    fill(args.markdown, tables(results))
    plots = args.markdown[0].with_suffix("")
    for path in sorted([*args.folder.glob("*.png"), *args.folder.glob("*.json")]):
        plots.mkdir(exist_ok=True)
        shutil.copy(path, plots)
    return 0


def load(folder: Path) -> Results:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def tables(results: Results) -> dict[str, str]:
    """Markdown of every table that there are results for."""
    made = {name: make(results[name]["results"]) for name, make in TABLES.items() if name in results}
    newest = max((found["machine"] for found in results.values()), key=lambda facts: facts["date"])
    return {"machine": facts_table(newest), "summary": summary_table(results), **made}


def filled(document: str, made: dict[str, str]) -> str:
    """The document with its places filled; one that there is no table for stays as it is.

    >>> print(filled("<!-- table: a -->\\nold\\n<!-- end -->", {"a": "new"}))
    <!-- table: a -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end -->
    """
    return PLACE.sub(lambda m: f"{m[1]}\n{made[m[2]]}\n\n{m[3]}" if m[2] in made else m[0], document)


def fill(documents: Iterable[Path], made: dict[str, str]) -> None:
    """Fill the places of each document, which is written whole or not at all."""
    for path in documents:
        write_atomically(path, filled(path.read_text(), made).encode())


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """
    >>> print(markdown(["what", "ms"], [["step", "1.5"]]))
    | what | ms |
    |---|--:|
    | step | 1.5 |
    """
    first, *others = (f"| {' | '.join(cells)} |" for cells in [head, *rows])
    return "\n".join([first, "|---" + "|--:" * (len(head) - 1) + "|", *others])


# ---- the tables --------------------------------------------------------------------------------------------------


def ratios(results: Results) -> list[tuple[str, float, float | None]]:
    """(what, minigan / the best eager PyTorch, minigan / torch.compile) of every row that has a ratio."""
    found = []
    for benchmark in (name for name in TABLES if name in results and name != "kernels"):
        for row in results[benchmark]["results"]:
            if "ratio" in row:
                compiled = row["spread"].get("compiled")
                beside = row["spread"]["minigan"]["median"] / compiled["median"] if compiled else None
                found.append((title(row), row["ratio"], beside))
    if "kernels" in results:
        rows = results["kernels"]["results"]
        totals = [sum(row[name]["median"] for row in rows) for name in ("minigan", "torch")]
        found.append(("all kernels, sum", totals[0] / totals[1], None))
    return found


def summary_table(results: Results) -> str:
    rows = ([what, f"{eager:.2f}", f"{compiled:.2f}" if compiled else ""] for what, eager, compiled in ratios(results))
    return markdown(["minigan's figure over", "the best eager PyTorch's", "torch.compile's"], rows)


def contenders_table(rows: list[Row]) -> str:
    """A line a workload, a column a contender: the medians, and the quartiles of minigan's."""
    names = list(dict.fromkeys(name for row in rows for name in row["spread"]))
    own = [name for name in names if name.startswith("minigan")] or ["minigan"]
    lines = []
    for row in rows:
        factor, unit = UNITS[row.get("measure", "seconds")]
        cells = [number(row["spread"][name]["median"] * factor) if name in row["spread"] else "" for name in names]
        for name in own:
            if name in row["spread"]:
                spread = row["spread"][name]
                cells[names.index(name)] += f" ({number(spread['q1'] * factor)}-{number(spread['q3'] * factor)})"
        ratios = row.get("ratios", {"minigan": row["ratio"]} if "ratio" in row else {})
        lines.append([f"{title(row)}, {unit}", *cells, *(f"**{ratios[n]:.2f}**" if n in ratios else "" for n in own)])
    head = ["ratio"] if len(own) < 2 else [f"ratio, {name.partition('_')[2] or 'numpy'}" for name in own]
    return markdown(["", *names, *head], lines) + skipped(rows)


def skipped(rows: list[Row]) -> str:
    where: dict[str, list[str]] = {}
    for row in rows:
        for name, reason in row.get("skipped", {}).items():
            where.setdefault(f"{name}: {reason}", []).append(row["workload"])
    lines = [f"- {what} ({', '.join(dict.fromkeys(workloads))})" for what, workloads in where.items()]
    return "\n\nNot measured:\n\n" + "\n".join(lines) if lines else ""


def kernels_table(rows: list[Row]) -> str:
    def cells(row: Row) -> list[str]:
        own, other = (f"{row[name]['median'] * 1e3:.2f}" for name in ("minigan", "torch"))
        speed = [f"{row['gflops']:.0f}", f"{row['sgemm_gflops']:.0f}"] if "gflops" in row else ["", ""]
        return [row["workload"], own, other, f"{row['ratio']:.2f}", *speed]

    return markdown(["", "minigan, ms", "PyTorch, ms", "ratio", "GFLOP/s", "of sgemm"], map(cells, rows))


def ladder_table(rows: list[Row]) -> str:
    (row,) = rows
    peak = row["gflops"]["sgemm, all threads"]
    return markdown(
        [row["workload"], "ms", "GFLOP/s", "of peak", "GFLOP/s a core"],
        (
            [name, number(row["seconds"][name] * 1e3), number(speed), f"{speed / peak:.1%}",
             number(row["gflops_per_core"][name])]
            for name, speed in row["gflops"].items()
        ),
    )  # fmt: skip


def scaling_table(rows: list[Row]) -> str:
    names = list(rows[0]["seconds"])

    def cells(row: Row) -> list[str]:
        slopes = [f"{row['exponents'][key][name]:.2f}" for key in ("seconds", "megabytes") for name in names]
        return [f"{row['axis']}, {row['values'][0]} to {row['values'][-1]}", *slopes]

    head = [f"{what}, {name}" for what in ("time", "memory") for name in names]
    return markdown(["exponent of", *head], map(cells, rows)) + "".join(map(amdahl_table, rows))


def amdahl_table(row: Row) -> str:
    """The share of a step that stays on one thread, and what more threads would give by that."""
    if "serial" not in row:
        return ""
    lines = [
        [name, f"{row['seconds'][name][0] / row['seconds'][name][-1]:.2f}", f"{serial:.0%}"]
        + [f"{speedup(serial, n):.1f}" for n in MORE_THREADS]
        for name, serial in row["serial"].items()
    ]
    most = row["values"][-1]
    head = ["", f"faster on {most}", "stays on one thread", *(f"by Amdahl on {n}" for n in MORE_THREADS)]
    return "\n\n" + markdown(head, lines)


def facts_table(facts: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return "; ".join(value) if isinstance(value, list) else str(value)

    return markdown(["machine", ""], ([key, text(value)] for key, value in facts.items())).replace("--:", "---")


def number(value: float) -> str:
    """
    >>> number(0.00012345), number(3.14159), number(2718.28)
    ('0.000123', '3.14', '2718')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


TABLES: dict[str, Callable[[list[Row]], str]] = {
    "train_step": contenders_table,
    "epoch": contenders_table,
    "overhead": contenders_table,
    "scaling": scaling_table,
    "kernels": kernels_table,
    "ladder": ladder_table,
}


if __name__ == "__main__":
    sys.exit(main())
