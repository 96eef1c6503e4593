"""Which recipe draws the best digits? One table: settings, the distance after so many steps, and the command of each.

python -m benchmarks.recipes --work out/recipes --steps 1500 --set width=64 r1=1 lr=1e-3
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import minigan
from minigan import backend, data, gan, metrics, nn, optim

DEFAULTS: dict[str, Any] = {
    "width": 64, "batch": 64, "z_dim": 100, "lr": 1e-3, "d_lr": 0, "beta1": 0.0, "beta2": 0.99, "r1": 1.0, "r2": 0.0,
    "every": 1, "objective": "non_saturating", "g_norm": "batch", "g_hidden": 0, "g_conv": 0, "g_last": "t4",
    "d_hidden": 0, "d_conv": 0, "mbstd": 0, "ema": 0.998, "decay_from": 0.0, "init": "dcgan", "mid": 2.0, "g_width": 0, "d_drop": 0.0,
    "diffaug": "", "feat": 0, "z_cat": 0,
}  # fmt: skip


def norm(kind: str, channels: int) -> list[nn.Module]:
    return {
        "batch": lambda: [nn.BatchNorm2d(channels)],
        "none": lambda: [],
        "group": lambda: [nn.GroupNorm(8, channels)],
        "instance": lambda: [nn.InstanceNorm2d(channels)],
    }[kind]()


class Cat(nn.Module):
    """the first k of z become one-hot by argmax"""

    def __init__(self, k):
        self.k = k

    def forward(self, z):
        from minigan import Tensor
        from minigan.ops import concat

        k = self.k
        first = z.data[:, :k]
        hot = (first == first.max(axis=1, keepdims=True)).astype(z.dtype) * np.float32(k**0.5)
        return concat([Tensor(hot), z[:, k:]], axis=1)


class PixelNorm(nn.Module):
    def forward(self, z):
        from minigan.ops import sqrt

        return z / sqrt((z * z).mean(1, keepdims=True) + 1e-8)


def networks(s: dict[str, Any], rng: np.random.Generator) -> tuple[nn.Module, nn.Module]:
    w = s["width"]
    gw = s["g_width"] or w
    wide = int(gw * s["mid"])
    half: dict[str, Any] = {"stride": 2, "padding": 1, "bias": False}
    hidden: list[nn.Module] = []
    if s["z_cat"]:
        hidden.append(Cat(s["z_cat"]))
    z = s["z_dim"]
    for _ in range(max(1, s.get("g_layers", 1)) if s["g_hidden"] else 0):
        hidden += [
            nn.Linear(z, s["g_hidden"], bias=False, rng=rng),
            nn.Reshape(s["g_hidden"], 1, 1),
            *norm("batch" if s["g_norm"] == "batch" else "none", s["g_hidden"]),
            nn.ReLU(),
            nn.Reshape(s["g_hidden"]),
        ]
        z = s["g_hidden"]
    act = (lambda: nn.ReLU()) if s["g_norm"] == "batch" else (lambda: nn.LeakyReLU(0.2))
    body: list[nn.Module] = [
        nn.Linear(z, wide * 49, bias=False, rng=rng),
        nn.Reshape(wide, 7, 7),
        *norm(s["g_norm"], wide),
        act(),
    ]
    if s["g_conv"]:
        body += [nn.Conv2d(wide, wide, 3, padding=1, bias=False, rng=rng), *norm(s["g_norm"], wide), act()]
    body += [nn.ConvTranspose2d(wide, gw, 4, **half, rng=rng), *norm(s["g_norm"], gw), act()]
    if s["g_last"] == "t4":
        body += [nn.ConvTranspose2d(gw, 1, 4, **half, rng=rng)]
    elif s["g_last"] == "t4c3":
        n = max(8, gw // 2)
        body += [
            nn.ConvTranspose2d(gw, n, 4, **half, rng=rng),
            *norm(s["g_norm"], n),
            act(),
            nn.Conv2d(n, 1, 3, padding=1, rng=rng),
        ]
    elif s["g_last"] == "c3t4":
        body += [
            nn.Conv2d(gw, gw, 3, padding=1, bias=False, rng=rng),
            *norm(s["g_norm"], gw),
            act(),
            nn.ConvTranspose2d(gw, 1, 4, **half, rng=rng),
        ]
    elif s["g_last"] == "t6":
        body += [nn.ConvTranspose2d(gw, 1, 6, stride=2, padding=2, bias=False, rng=rng)]
    elif s["g_last"] == "up5":
        body += [nn.Conv2d(gw, 4, 3, padding=1, rng=rng), nn.PixelShuffle(2)]
    generator = nn.Sequential(*hidden, *body, nn.Tanh())
    dw = int(w * s["mid"])
    d: list[nn.Module] = [
        nn.Conv2d(1, w, 4, stride=2, padding=1, rng=rng),
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, dw, 4, stride=2, padding=1, rng=rng),
        nn.LeakyReLU(0.2),
    ]
    side, c = 7, dw
    if s["d_conv"]:
        c2 = s["d_conv"]
        d += [nn.Conv2d(c, c2, 3, stride=2, padding=1, rng=rng), nn.LeakyReLU(0.2)]
        side, c = 4, c2
    if s["mbstd"]:
        d.append(nn.MinibatchStd(group_size=s["mbstd"]))
        c += 1
    d.append(nn.Flatten())
    n = c * side * side
    if s["d_hidden"]:
        d += [nn.Linear(n, s["d_hidden"], rng=rng), nn.LeakyReLU(0.2)]
        n = s["d_hidden"]
    d += [nn.Linear(n, 1, rng=rng)]
    discriminator = nn.Sequential(*d)
    if s["init"] == "dcgan":
        for net in (generator, discriminator):
            nn.init.dcgan_(net, rng)
    elif s["init"] == "he":
        for net in (generator, discriminator):
            for m in net.modules():
                kind, weight = type(m).__name__, getattr(m, "weight", None)
                if weight is None or "Norm" in kind:
                    continue
                if kind == "ConvTranspose2d":
                    fan = weight.shape[0] * weight.shape[2] * weight.shape[3] / 4
                else:
                    fan = int(np.prod(weight.shape[1:]))
                nn.init.normal_(weight, rng, std=(2 / 1.04 / fan) ** 0.5)
                if getattr(m, "bias", None) is not None:
                    nn.init.constant_(m.bias, 0)
    return generator, discriminator


def real_features(work: Path, extractor: str, name: str):
    path = work / f"real-{name}.npz"
    found = metrics.load_extractor(extractor)
    if not path.exists():
        np.save(path.with_suffix(".npy"), found(data.mnist("train").images).features)
        path.with_suffix(".npy").rename(path)
    return found, np.load(path)


def judge(generator, extractor, real, gaussian, z, coverage=False):
    images = np.rint(gan.generate(generator, z) * 127.5 + 127.5).astype(np.uint8)
    fake = extractor(images).features
    out = {
        "fd": round(
            metrics.frechet_distance(
                gaussian, metrics.Gaussian.of(fake, "samples") if hasattr(metrics, "Gaussian") else fake
            ),
            3,
        )
    }
    if coverage:
        chosen = np.random.default_rng(0).permutation(len(real))[:10000]
        m = metrics.precision_recall(real[chosen], fake)
        out |= {"coverage": round(m.coverage, 3), "precision": round(m.precision, 3), "recall": round(m.recall, 3)}
    return out, images


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--steps", type=int, default=1500)
    p.add_argument("--at", type=int, nargs="*", default=[])
    p.add_argument("--seed", type=int, default=100)
    p.add_argument("--samples", type=int, default=5000)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--name", default="")
    p.add_argument("--second", default="")
    p.add_argument("--set", nargs="*", default=[], dest="changes")
    a = p.parse_args()
    minigan.set_num_threads(a.threads)
    a.work.mkdir(parents=True, exist_ok=True)
    s = dict(DEFAULTS)
    for item in a.changes:
        k, v = item.split("=")
        assert k in s or k in ("g_layers",), k
        s[k] = type(s.get(k, 0))(v)
    init, noise, order, looks = (np.random.default_rng(q) for q in np.random.SeedSequence(a.seed).spawn(4))
    place = backend.get("numpy")
    g, d = (n.to(place) for n in networks(s, init))
    loader = data.Loader(data.mnist(), s["batch"], backend=place, rng=order, prefetch=0)
    pens = []
    if s["r1"]:
        pens.append(gan.R1(gamma=s["r1"], every=s["every"]))
    if s["r2"]:
        pens.append(gan.R2(gamma=s["r2"], every=s["every"]))
    betas = (s["beta1"], s["beta2"])
    start = int(s["decay_from"] * a.steps)
    kw = {"schedule": optim.LinearDecay(start=start, end=a.steps + 1)} if s["decay_from"] else {}
    trainer = gan.Trainer(
        g,
        d,
        z_dim=s["z_dim"],
        rng=noise,
        objective=gan.OBJECTIVES[s["objective"]](),
        penalties=pens,
        g_optimizer=optim.Adam(g.parameters(), lr=s["lr"], betas=betas),
        d_optimizer=optim.Adam(d.parameters(), lr=s["d_lr"] or s["lr"], betas=betas),
        ema=s["ema"],
        augment=[gan.DiffAugment(s["diffaug"])] if s["diffaug"] else (),
        **kw,
    )
    extractor, real = real_features(a.work, "mnist", "mnist")
    gaussian = metrics.frechet.Gaussian.of(real, "real") if hasattr(metrics, "frechet") else real
    z = looks.standard_normal((a.samples, s["z_dim"]))
    at = a.at or [x for x in (500, 1000, 1500, 2000, 3000, 4685, 6000, 7500, 9370) if x <= a.steps] or [a.steps]
    t0 = time.process_time()
    spent = 0.0
    found: dict[int, Any] = {}
    from itertools import islice

    last = []
    for r in trainer.steps(islice(loader.forever(), a.steps)):
        last.append((r.d_real, r.d_fake, r.spread))
        if not np.isfinite(r.d_loss):
            found[r.step] = "nan"
            break
        if r.step in at:
            spent += time.process_time() - t0
            final = r.step == a.steps
            one = judge(g, extractor, real, gaussian, z)[0] if final else {}
            two, im2 = judge(trainer.ema.generator, extractor, real, gaussian, z, final)
            mean = [round(float(np.mean(c)), 2) for c in zip(*last[-100:], strict=True)]
            found[r.step] = {"g": one, "ema": two, "beliefs": mean}
            print(a.changes, r.step, one, two, mean, f"{1000 * spent / r.step:.0f} ms/step", flush=True)
            t0 = time.process_time()
    row = {
        "set": a.changes,
        "seed": a.seed,
        "steps": a.steps,
        "samples": a.samples,
        "ms": round(1000 * spent / a.steps, 1),
        "found": found,
    }
    with (a.work / "results.jsonl").open("a") as f:
        f.write(json.dumps(row) + "\n")
    np.savez_compressed(a.work / f"last-{'_'.join(a.changes) or 'default'}-{a.seed}-{a.steps}.npz", images=im2[:10000])
    return 0


if __name__ == "__main__":
    sys.exit(main())
