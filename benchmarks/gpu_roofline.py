"""How fast the convolutions of the two DCGANs can be at best on a GPU: arithmetic only, nothing is run.

    python -m benchmarks.gpu_roofline                                # of an H100
    python -m benchmarks.gpu_roofline --bandwidth 4.8 --float32 67 --tf32 400

A kernel that reads and writes B bytes and does W operations takes at least max(B / bandwidth, W / peak). The three
kernels of a layer (conv2d, conv2d_input, conv2d_weight) do the same work on the same three arrays, each read or written
once; with patches stored they are written and read besides. Measured times stand beside these: gpu_suite.py, part
convolutions.
"""

from __future__ import annotations

import argparse

LAYERS = [  # batch, image side, channels, filters; 4 x 4 kernels, stride 2
    (128, 28, 1, 128),
    (128, 14, 128, 256),
    (128, 64, 3, 64),
    (128, 32, 64, 128),
    (128, 16, 128, 256),
    (128, 8, 256, 512),
]
HEAD = ["layer", "GFLOP", "MB", "float32", "TF32", "patches, MB", "float32, stored", "TF32, stored"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bandwidth", type=float, default=3.35, help="TB/s (default: 3.35)")
    parser.add_argument("--float32", type=float, default=67, help="TFLOP/s (default: 67)")
    parser.add_argument("--tf32", type=float, default=400, help="TFLOP/s (default: 400)")
    args = parser.parse_args()
    print("| " + " | ".join(HEAD) + " |")
    print("|---" * len(HEAD) + "|")
    for layer in LAYERS:
        print("| " + " | ".join(row(*layer, args.bandwidth * 1e12, args.float32 * 1e12, args.tf32 * 1e12)) + " |")


def row(batch: int, side: int, channels: int, filters: int, *peaks: float) -> list[str]:
    """Microseconds at least; ``peaks`` in bytes and operations a second."""
    pixels, weights = batch * (side // 2) ** 2, 16 * channels * filters
    work, once = 2 * pixels * weights, 4 * (batch * side**2 * channels + weights + pixels * filters)
    patches = 4 * pixels * 16 * channels
    bandwidth, *rates = peaks
    bounds = [max(size / bandwidth, work / rate) for size in (once, once + 2 * patches) for rate in rates]
    times = [f"{bound * 1e6:.0f} us" for bound in bounds]
    name = f"{batch} x {side}x{side}, {channels}-{filters}"
    return [name, f"{work / 1e9:.1f}", f"{once / 1e6:.0f}", *times[:2], f"{patches / 1e6:.0f}", *times[2:]]


if __name__ == "__main__":
    main()
