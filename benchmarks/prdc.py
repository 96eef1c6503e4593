"""Precision, recall, density and coverage of two samples of one distribution, at full size.

    python -m benchmarks.prdc              # six pairs of 10,000 samples of N(0, I_1000), k = 5; a minute

Exits with 1 when a value leaves the range that these six pairs are known to span. Density 1 and coverage 0.969 are the
expectations for any distribution. Precision and recall have none in closed form: in 1,000 dimensions a few samples
near the centre are neighbours of nearly everything, and a pair's values hang on how many it has.
"""

from __future__ import annotations

import argparse

import numpy as np

from minigan.metrics import precision_recall

SEEDS = range(6)
BANDS = {
    "precision": (0.456, 0.497),
    "recall": (0.474, 0.493),
    "density": (0.91, 1.07),
    "coverage": (0.956, 0.974),
}


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("seed " + "".join(f"{name:>12}" for name in BANDS))
    outside = []
    for seed in SEEDS:
        found = precision_recall(*np.random.default_rng(seed).standard_normal((2, 10_000, 1000)), k=5)
        values = {name: getattr(found, name) for name in BANDS}
        print(f"{seed:4} " + "".join(f"{value:12.3f}" for value in values.values()), flush=True)
        outside += [f"seed {seed}: {name}" for name, value in values.items() if not within(value, *BANDS[name])]
    print("from " + "".join(f"{low:12.3f}" for low, _ in BANDS.values()))
    print("to   " + "".join(f"{high:12.3f}" for _, high in BANDS.values()))
    print(f"outside: {', '.join(outside)}" if outside else "all within")
    return int(bool(outside))


def within(value: float, low: float, high: float) -> bool:
    """By three digits, as the bands are given."""
    return low <= round(value, 3) <= high


if __name__ == "__main__":
    raise SystemExit(main())
