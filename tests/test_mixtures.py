"""Gaussians in the plane: where they lie, and that the samples are theirs."""

import numpy as np
import pytest

from minigan.data.mixtures import Mixture, grid_of_gaussians, ring_of_gaussians


def test_the_grid_of_the_literature():
    grid = grid_of_gaussians()
    assert grid.std == 0.05
    assert {tuple(c) for c in grid.centres.tolist()} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert len(grid.centres) == 25


def test_other_grids_are_around_the_origin_too():
    grid = grid_of_gaussians(side=2, spacing=3.0, std=0.5)
    assert {tuple(c) for c in grid.centres.tolist()} == {(-1.5, -1.5), (-1.5, 1.5), (1.5, -1.5), (1.5, 1.5)}
    assert grid.std == 0.5


@pytest.mark.parametrize(("modes", "radius"), [(8, 1.0), (3, 2.5), (1, 1.0)])
def test_a_ring(modes, radius):
    ring = ring_of_gaussians(modes, radius)
    assert ring.centres.shape == (modes, 2) and ring.std == 0.01
    np.testing.assert_allclose(np.linalg.norm(ring.centres, axis=1), radius, rtol=1e-12)
    np.testing.assert_allclose(ring.centres[0], [radius, 0], atol=1e-12)
    neighbours = np.linalg.norm(ring.centres - np.roll(ring.centres, 1, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 2 * radius * np.sin(np.pi / modes), atol=1e-12)


def test_samples_are_the_mixtures(rng):
    mixture = Mixture(np.array([[-5.0, 1.0], [5.0, 2.0]]), 0.5)
    points = mixture.sample(20_000, rng)
    assert points.shape == (20_000, 2) and points.dtype == np.float64
    left = points[:, 0] < 0
    assert left.mean() == pytest.approx(0.5, abs=0.02)
    for part, centre in ((points[left], [-5, 1]), (points[~left], [5, 2])):
        np.testing.assert_allclose(part.mean(0), centre, atol=0.03)
        np.testing.assert_allclose(np.cov(part.T), 0.25 * np.eye(2), atol=0.02)


def test_the_generator_decides():
    grid = grid_of_gaussians()
    one, again, other = (grid.sample(50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_batches_for_the_trainer(backend):
    grid = grid_of_gaussians()
    batches = list(grid.batches(3, 7, backend=backend, rng=np.random.default_rng(1)))
    rng = np.random.default_rng(1)
    assert len(batches) == 3
    for batch in batches:
        assert batch.shape == (7, 2) and batch.dtype == np.float32
        np.testing.assert_array_equal(backend.to_numpy(batch), grid.sample(7, rng).astype(np.float32))
