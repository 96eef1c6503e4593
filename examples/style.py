"""Photos into paintings: seven van Goghs, and 82 photos that he never saw.

    python examples/style.py                                 # Ctrl-C ends it cleanly
    python examples/style.py --a my/photos --b my/paintings
    python -m minigan translate photo.jpg --model out/style/ab.safetensors

The translator learns from crops of 64 pixels and is used on whole photos. Each eighth photo is held out. The paintings
are shared out: a judge of painted and photographed crops learns from each third painting and each third photo, the
game from the others. So it is not the game's own detective who judges, and not by the same pictures. On the held-out
photos:

    fooled  the share of crops that the judge takes for painted
    edges   the correlation of the strength of edges with the photo's: whether it still shows what it showed

beside what one would do without a network: give the photo the paintings' histogram of each colour.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm
from train_classifier import fit, held_back

from minigan import backend, checkpoint, data, gan, metrics, viz
from minigan.cli import user_errors
from minigan.commands.arguments import positive
from minigan.commands.example import add_out, add_usual, out_folder, place_of
from minigan.commands.options import dry_run, set_defaults
from minigan.data import Dataset
from minigan.data.degrade import luminance, resample
from minigan.errors import InputError
from minigan.optim import LinearDecay
from minigan.translation import PhotoTranslator

HERE = Path(__file__).parent / "data"
CROP = 64
CROPS = 24  # of each picture that the judge looks at
LONGEST = 300  # pixels, of a painting: a stroke is then some pixels wide


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a", type=Path, default=HERE / "photos", metavar="DIR", help="photos (default: bundled)")
    parser.add_argument("--b", type=Path, default=HERE / "van_gogh", metavar="DIR", help="paintings (default: bundled)")
    add_out(parser, "out/style")
    parser.add_argument("--steps", type=positive, help="default: 400")
    parser.add_argument("--batch-size", type=positive, help="crops of each kind a step (default: 4)")
    parser.add_argument(
        "--identity-weight", type=float, default=2.5, help="of what is painted already, and is to stay (default: 2.5)"
    )
    parser.add_argument("--judge-epochs", type=positive, help="of the judge (default: 6)")
    add_usual(parser)
    return user_errors(train, parser.parse_args())


def train(args: argparse.Namespace) -> None:
    if args.dry_run:
        dry_run(args, steps=2, batch_size=2, judge_epochs=1)
    set_defaults(args, steps=400, batch_size=4, judge_epochs=6)
    place = place_of(args)
    init, noise, shuffle, crops = (np.random.default_rng(s) for s in np.random.SeedSequence(args.seed).spawn(4))

    photos = list(data.read_pictures(args.a).values())
    held, photos = photos[7::8], [photo for number, photo in enumerate(photos) if number % 8 != 7]
    paintings = [smaller(painting) for painting in data.read_pictures(args.b).values()]
    if not held or len(paintings) < 3:
        raise InputError(f"--a {args.a} and --b {args.b}: at least 8 photos and 3 paintings")
    args.out = out_folder(args.out, "out/style")
    judge = train_judge(args, place, photos[2::3], paintings[2::3], crops)
    photos, paintings = ([p for n, p in enumerate(kind) if n % 3 != 2] for kind in (photos, paintings))

    pictures = data.Unpaired(photos, paintings, crop=CROP, root=str(args.a))
    loader = data.Loader(pictures, args.batch_size, backend=place, rng=shuffle)
    settings = {"channels": 3, "width": 12, "d_width": 16, "halvings": 1, "resize": True}
    model = gan.UNPAIRED["cyclegan"]
    players = [network.to(place) for network in model.players(init, **settings)]
    falling = LinearDecay(start=args.steps // 2, end=args.steps + 1)
    weights = {"cycle_weight": 5.0, "identity_weight": args.identity_weight}
    trainer = model.trainer(*players, rng=noise, **weights, g_lr=1e-3, d_lr=1e-3, schedule=falling, ema=0.99)

    def painted(photo: np.ndarray) -> np.ndarray:
        return PhotoTranslator(trainer.result("ab"), 3, None).pixels(photo)

    with tqdm(total=args.steps, disable=args.quiet or sys.stderr is None) as bar:
        for record in trainer.steps(islice(loader.forever(), args.steps)):
            bar.update()
            if record.step % 100 == 0 or record.step == args.steps:
                bar.set_postfix(cycle=f"{record.cycle:.2f}", refresh=False)
                rows = [np.concatenate([photo, painted(photo)], axis=1) for photo in held[:3]]
                for number, row in enumerate(rows):
                    viz.save_png(args.out / f"step-{record.step:05d}-{number}.png", row)
    for name in ("ab", "ba"):
        architecture = {"model": "cyclegan", **settings}
        checkpoint.save_model(args.out / f"{name}.safetensors", trainer.result(name), architecture)

    ways = {
        "cyclegan": painted,
        "histogram matching": lambda photo: matched(photo, paintings),
        "photos as they are": lambda photo: photo,
    }
    for name, way in ways.items():
        made = [way(photo) for photo in held]
        fooled = judge(np.concatenate([cut(picture, CROPS, np.random.default_rng(0)) for picture in made]))
        edges = np.mean([edge_correlation(picture, photo) for picture, photo in zip(made, held, strict=True)])
        print(f"{name}: fooled {(fooled.probabilities[:, 1] > 0.5).mean():.0%}, edges {edges:.2f}")
    print(f"pictures and models in {args.out}")


def smaller(painting: np.ndarray) -> np.ndarray:
    height, width = painting.shape[:2]
    times = min(1.0, LONGEST / max(height, width))
    made = resample(painting.astype(np.float32) / 255, (round(height * times), round(width * times)))
    return np.rint(np.clip(made, 0, 1) * 255).astype(np.uint8)


# ---- the judge ---------------------------------------------------------------------------------------------------


def train_judge(
    args: argparse.Namespace,
    place: backend.ArrayBackend,
    photos: list[np.ndarray],
    paintings: list[np.ndarray],
    rng: np.random.Generator,
) -> metrics.Extractor:
    """A classifier of crops, as many photographed as painted."""
    count = len(photos) * CROPS
    kinds = [cut(photo, CROPS, rng) for photo in photos]
    kinds += [cut(painting, count // len(paintings), rng) for painting in paintings]
    images = np.concatenate(kinds)
    labels = (np.arange(len(images)) >= count).astype(np.int64)
    file = args.out / "judge.safetensors"
    settings = {"epochs": args.judge_epochs, "batch_size": 32, "width": 8, "flip": True, "quiet": True}
    right = fit(*held_back(Dataset(images, labels, ("photo", "painting"), "crops")), file, place=place, **settings)
    print(f"the judge is right about {right:.0%} of other crops of its pictures")
    return metrics.load_extractor(file)


def cut(picture: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Crops, uint8 (count, 3, CROP, CROP)"""
    height, width = picture.shape[:2]
    corners = zip(rng.integers(0, height - CROP + 1, count), rng.integers(0, width - CROP + 1, count), strict=True)
    return np.stack([picture[i : i + CROP, j : j + CROP] for i, j in corners]).transpose(0, 3, 1, 2)


def edge_correlation(picture: np.ndarray, photo: np.ndarray) -> float:
    return float(np.corrcoef(edges(picture).ravel(), edges(photo).ravel())[0, 1])


def edges(picture: np.ndarray) -> np.ndarray:
    """How strong the edge at each pixel is: the length of the slope of brightness."""
    down, right = np.gradient(luminance(picture.astype(np.float32) / 255))
    return np.hypot(down, right)


def matched(photo: np.ndarray, paintings: list[np.ndarray]) -> np.ndarray:
    """The photo with the paintings' distribution of each colour: the k-th darkest of its pixels gets their k-th."""
    made = np.empty_like(photo)
    for channel in range(3):
        known = np.sort(np.concatenate([painting[:, :, channel].ravel() for painting in paintings]))
        order = photo[:, :, channel].ravel().argsort(kind="stable").argsort(kind="stable")
        made[:, :, channel] = known[order * len(known) // order.size].reshape(photo.shape[:2])
    return made


if __name__ == "__main__":
    sys.exit(main())
