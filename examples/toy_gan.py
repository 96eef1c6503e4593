"""Mode collapse, seen in the plane: GAN, PacGAN and WGAN-GP learn a grid of 25 Gaussians.

Each is trained from several seeds, and each run is reported as it came out: how many of the 25 modes it found, how many
of its samples are good ones, how evenly they are spread. The picture shows the samples on top of the data.

    python examples/toy_gan.py                          # three models, three seeds
    python examples/toy_gan.py --models gan --seeds 0 1 2 3 4 --steps 50000
"""

import argparse
import json
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from minigan import backend, gan, metrics, nn, optim
from minigan.cli import user_errors
from minigan.commands.arguments import natural, positive
from minigan.data.mixtures import grid_of_gaussians
from minigan.files import write_atomically
from minigan.runs import claim_folder

DATA = grid_of_gaussians()
Z_DIM = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=natural, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--steps", type=positive, default=20000, help="steps a run (default: 20000)")
    parser.add_argument("--batch-size", type=positive, default=200, help="points a step (default: 200)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: out/toy-gan, -2, -3, ...)")
    parser.add_argument("--backend", default="numpy", help="where to compute: numpy (default), numba, cupy, reference")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return user_errors(run, parser.parse_args())


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    place = backend.get(args.backend)
    lines, samples = [], {}
    total = len(args.models) * len(args.seeds) * args.steps
    with claim_folder(args.out, "out/toy-gan") as out, tqdm(total=total, unit="step", disable=args.quiet) as bar:
        for name in args.models:
            for seed in args.seeds:
                bar.set_description(f"{name}, seed {seed}")
                init, noise, points, looks = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
                # Learning rates fall to 0 over the second half, so that no run is judged in mid-swing.
                trainer = MODELS[name](init, noise, place, optim.LinearDecay(start=args.steps // 2, end=args.steps + 1))
                for _ in trainer.steps(DATA.batches(args.steps, args.batch_size, backend=place, rng=points)):
                    bar.update()
                made = gan.generate(trainer.game.generator, looks.standard_normal((2500, Z_DIM)), batch_size=2500)
                found = metrics.mode_statistics(made, DATA.centres, DATA.std)
                samples[name, seed] = made, found
                lines.append({"model": name, "seed": seed, "steps": args.steps, **asdict(found)})
                bar.write(f"{name:8} seed {seed}: {found}")
        write_atomically(out / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
        draw(out / "modes.png", args.models, args.seeds, samples)
    print(f"a picture of every run in {out / 'modes.png'}")


# ---- the three models ----------------------------------------------------------------------------


def mlp(widths: list[int], activation: nn.Module, rng: np.random.Generator) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs, rng=rng), activation]
    return nn.Sequential(*layers[:-1])


def networks(init: np.random.Generator, place, pac: int = 1):
    generator = mlp([Z_DIM, 128, 128, 128, 2], nn.ReLU(), init).to(place)
    discriminator = mlp([2 * pac, 128, 128, 128, 1], nn.LeakyReLU(0.2), init).to(place)
    return generator, discriminator


def plain(init, noise, place, schedule):
    """The non-saturating GAN."""
    generator, discriminator = networks(init, place)
    return trainer(generator, discriminator, noise, schedule=schedule)


def pacgan2(init, noise, place, schedule):
    """The same, but D judges two points at a time."""
    generator, discriminator = networks(init, place, pac=2)
    return trainer(generator, gan.Packed(discriminator, 2), noise, schedule=schedule)


def wgan_gp(init, noise, place, schedule):
    """A critic with a gradient penalty; two updates of it for one of G."""
    generator, discriminator = networks(init, place)
    settings = {"objective": gan.Wasserstein(), "penalties": [gan.GradientPenalty(weight=0.1)], "n_critic": 2}
    return trainer(generator, discriminator, noise, betas=(0.5, 0.9), schedule=schedule, **settings)


def trainer(generator, discriminator, noise, schedule, betas=(0.5, 0.999), lr=1e-3, **settings):
    players = {"d": discriminator, "g": generator}
    adams = {who: optim.Adam(player.parameters(), lr=lr, betas=betas) for who, player in players.items()}
    game = gan.TwoPlayer(generator, discriminator, z_dim=Z_DIM, rng=noise, **settings)
    return gan.Trainer(game, adams, schedule=schedule)


MODELS = {"gan": plain, "pacgan2": pacgan2, "wgan_gp": wgan_gp}


def draw(path: Path, models: list[str], seeds: list[int], samples: dict) -> None:
    """A row for each model, a column for each seed: the samples over the 25 modes."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(seeds), 3.2 * len(models)), layout="constrained")
    panels = figure.subplots(len(models), len(seeds), squeeze=False, sharex=True, sharey=True)
    for row, name in enumerate(models):
        for axes, seed in zip(panels[row], seeds, strict=True):
            made, found = samples[name, seed]
            axes.scatter(*DATA.centres.T, s=90, facecolors="none", edgecolors="tab:red", linewidths=0.8)
            axes.scatter(*made.T, s=1, color="tab:blue", alpha=0.4)
            axes.set(xlim=(-5.5, 5.5), ylim=(-5.5, 5.5), aspect="equal", xticks=[], yticks=[])
            axes.set_title(f"{name}, seed {seed}", fontsize=9)
            good = f"{found.modes_found}/25 modes, {100 * found.high_quality:.0f} % good, KL {found.reverse_kl:.2f}"
            axes.set_xlabel(good, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
