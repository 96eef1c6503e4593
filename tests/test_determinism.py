"""The same seed gives the same bits, whatever the number of threads."""

import numpy as np
import pytest
import small_models

import minigan
from minigan import backend, gan


@pytest.fixture(autouse=True)
def threads_as_before():
    before = minigan.get_num_threads()
    yield
    minigan.set_num_threads(before)


def state_after(name, threads, size, steps=2, seed=0, place="numpy"):
    """Every array of the trainer, and its records, after some steps wide enough for several threads to share."""
    minigan.set_num_threads(threads)
    model = gan.MODELS[name]
    settings = small_models.architecture(name, z_dim=10, width=16)
    shape = small_models.DATA[model.medium][1]
    if model.medium == "pictures":
        settings["image_size"], shape = size, (1, size, size)
    networks = [network.to(place) for network in gan.build(settings, np.random.default_rng(seed))]
    changes = {"n_critic": 1, "clip_grad_norm": 1.0} if model.n_critic > 1 else {}
    trainer = model.trainer(*networks, z_dim=10, rng=np.random.default_rng(1), **changes)
    rng = np.random.default_rng(2)
    place = backend.get(place)
    batches = []
    for _ in range(steps):
        images = place.channels_last(place.asarray(rng.uniform(-1, 1, (32, *shape)), "float32"))
        batches.append((images, rng.integers(0, 3, 32)) if model.conditional else images)
    records = [record.as_dict() for record in trainer.steps(batches)]
    return records, trainer.arrays()


@pytest.mark.parametrize(("name", "size"), [(name, 28) for name in gan.MODELS] + [("dcgan", 64)])
def test_bits_do_not_depend_on_the_number_of_threads(fast, name, size):
    records, arrays = state_after(name, 1, size, place=fast.name)
    for threads in (2, 3):
        again, others = state_after(name, threads, size, place=fast.name)
        assert again == records
        different = [key for key in arrays if arrays[key].tobytes() != others[key].tobytes()]
        assert different == [], f"with {threads} threads"


def test_another_seed_gives_other_bits():
    (_, arrays), (_, again), (_, others) = (state_after("gan", 1, 28, seed=seed) for seed in (0, 0, 99))
    assert all(arrays[key].tobytes() == again[key].tobytes() for key in arrays)
    assert arrays["generator/0.weight"].tobytes() != others["generator/0.weight"].tobytes()
