"""Recipes: settings under a name; and the benchmark that looks for better ones."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import recipes as search
from minigan import InputError, data, gan
from minigan.data import Dataset
from minigan.optim import Adam
from minigan.tensor import Tensor


def pictures(count=240, shape=(1, 28, 20)):
    return Dataset(np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8), name="noise")


@pytest.mark.parametrize("name", gan.RECIPES)
def test_a_recipe_builds_and_trains_its_model(name):
    recipe = replace(gan.RECIPES[name], width=4, z_dim=6)
    shown = data.clustered(pictures(), recipe.clusters) if recipe.clusters else pictures()
    architecture = recipe.architecture(shown)
    assert architecture["image_size"] == [28, 20] and architecture["model"] == recipe.model
    trainer = recipe.trainer(*gan.build(architecture, np.random.default_rng(1)), rng=np.random.default_rng(2))
    assert all(
        isinstance(o, Adam) and (o.lr, o.betas) == (recipe.lr, recipe.betas) for o in trainer.optimizers.values()
    )
    assert bool(trainer.averages) == bool(recipe.ema)
    assert [type(p) for p in trainer.game.penalties] == [gan.R1] * bool(recipe.gamma)
    assert [a.std for a in trainer.game.augment] == [recipe.noise] * bool(recipe.noise)
    images = shown.images[:8].astype(np.float32) / 127.5 - 1
    batch = (images, shown.labels[:8]) if recipe.clusters else images
    (record,) = trainer.steps([batch])
    assert np.isfinite(record.d_loss) and record.step == 1


def test_settings_that_are_not_given_are_the_recipes():
    recipe = gan.RECIPES["self_conditioned"]
    assert recipe.with_(lr=None, gamma=None) == recipe
    assert recipe.with_(lr=0.5, gamma=0.0) == replace(recipe, lr=0.5, gamma=0.0)


def test_pictures_without_clusters_are_refused():
    with pytest.raises(InputError, match="noise has no labels, so nothing to be counted by"):
        gan.RECIPES["self_conditioned"].architecture(pictures())


# ---- benchmarks/recipes.py -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", search.SETTINGS)
def test_every_setting_of_the_search_builds(name):
    setting = replace(search.SETTINGS[name], width=4)
    labels = np.arange(200) % max(1, setting.clusters)
    digits = replace(pictures(200, (1, 28, 28)), labels=labels, classes=tuple(map(str, np.unique(labels))))
    generator, discriminator = search.networks(setting, digits, np.random.default_rng(0))
    told = () if not setting.clusters or setting.by == "cells" else (labels[:4],)
    images = generator(Tensor(np.random.default_rng(1).standard_normal((4, 100)).astype(np.float32)), *told)
    assert images.shape == (4, 1, 28, 28) and discriminator(images, *told).shape == (4, 1)


@pytest.mark.parametrize(("how", "clusters"), [("k-means", 2), ("medians", 4)])
def test_pictures_are_sorted(how, clusters):
    labels = search.sorted_by(how, pictures(), clusters)
    counts = np.bincount(labels)
    assert len(counts) == clusters and counts.sum() == 240
    assert how == "k-means" or counts.tolist() == [60] * 4


def test_the_table_has_a_command_beside_each_row():
    shares = {"coverage": 0.5, "precision": 0.25, "recall": 0.75}
    rows = [
        {"name": "R1 alone", "steps": 500, "seed": 1, "ms": 7.0, "distances": {"500": 9.5}, "last": 12.0, **shares},
        {"name": "50 clusters", "steps": 937, "seed": 2, "ms": 8.0, "distances": {"500": 4.5, "937": 2.5}, **shares},
    ]
    lines = search.table(rows[::-1]).splitlines()
    assert lines[0].startswith("| Frechet distance after | 500 steps | 937 steps | last weights | coverage |")
    assert lines[2] == '| R1 alone | 9.5 |  | 12 | 0.5 | 0.25 | 0.75 | 7 | `--only "R1 alone" --steps 500 --seed 1` |'
    assert lines[3].startswith("| 50 clusters | 4.5 | 2.5 |")
    judged = [*rows, {"name": "256 clusters", "steps": 100, "seed": 2, "ms": 8.0, "distances": {"100": 4.5}, **shares}]
    assert search.short_table(judged).splitlines()[2:] == ["| R1 alone | 9.5 |", "| 50 clusters | 4.5 |"]
