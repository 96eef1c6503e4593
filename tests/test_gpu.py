"""What no stand-in can show: ``pytest -m gpu`` on a machine with an NVIDIA GPU and CuPy.

The other tests of the cupy backend carry the same mark there, and run on the GPU as well.
"""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest
from playing import trainer_of

from minigan import backend as backends
from minigan import gan
from minigan.backend import ConvGeometry
from minigan.errors import InputError

WHY_NOT = fake_cupy.because if fake_cupy.installed else backends.available()["cupy"]
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(WHY_NOT), reason=f"needs a GPU: {WHY_NOT}")]
reference = backends.get("reference")


@pytest.fixture
def cupy():
    return backends.get("cupy")


def trainer(name, width=16, **settings):
    place = backends.get(name)
    networks = gan.build({"model": "dcgan", "width": width, "z_dim": 20}, np.random.default_rng(0))
    return trainer_of(*(net.to(place) for net in networks), z_dim=20, rng=np.random.default_rng(1), **settings)


def losses(name, steps):
    rng, place = np.random.default_rng(2), backends.get(name)
    batches = (place.asarray(rng.uniform(-1, 1, (32, 1, 28, 28)).astype(np.float32)) for _ in range(steps))
    return [(record.d_loss, record.g_loss) for record in trainer(name).steps(batches)]


def test_training_begins_as_on_the_cpu():
    own, expected = (np.array(losses(name, 500)) for name in ("cupy", "numpy"))
    np.testing.assert_allclose(own[:20], expected[:20], rtol=2e-3)  # float32: what differs by rounding grows apart
    assert np.isfinite(own).all()


def test_two_trainings_are_equal_bit_for_bit():
    assert losses("cupy", 100) == losses("cupy", 100)


@pytest.mark.parametrize(
    "settings", [{}, {"ema": 0.99, "augment": [gan.DiffAugment()], "penalties": [gan.R1(every=4)]}]
)
def test_replays_are_the_eager_steps_bit_for_bit(settings):
    """At a size that keeps many processors busy, for both kinds of steps: those that measure and those that do not."""
    captured, eager = (trainer("cupy", width=64, capture=capture, **settings) for capture in (True, False))
    rng, place = np.random.default_rng(2), backends.get("cupy")
    batches = [place.asarray(rng.uniform(-1, 1, (128, 1, 28, 28)).astype(np.float32)) for _ in range(45)]
    own, expected = ([repr(r.as_dict()) for r in play.steps(batches)] for play in (captured, eager))
    assert own == expected
    assert captured.capture_reason == "" and len(captured.capture._replays) >= 2
    a, b = captured.arrays(), eager.arrays()
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_a_replay_with_tf32_is_the_eager_step_bit_for_bit(cupy):
    cupy.tf32 = True
    try:
        test_replays_are_the_eager_steps_bit_for_bit({})
    finally:
        cupy.tf32 = False


def test_what_reads_the_device_in_mid_step_falls_back_with_the_reason():
    play, place = trainer("cupy", capture=True, clip_grad_norm=1.0), backends.get("cupy")
    batch = place.asarray(np.zeros((8, 1, 28, 28), np.float32))
    with pytest.warns(RuntimeWarning, match="training steps are not captured"):
        records = list(play.steps([batch] * 5))
    assert play.capture_reason and all(np.isfinite(record.d_loss) for record in records)


def test_memory_does_not_grow(cupy):
    play, pool = trainer("cupy", width=4), cupy.xp.get_default_memory_pool()
    batch = cupy.asarray(np.zeros((8, 1, 28, 28), np.float32))
    held = []  # with steps that are captured, as they are by default
    for number, _ in enumerate(play.steps(batch for _ in range(2000))):
        if number in (50, 1999):
            held.append(pool.total_bytes())
    assert held[1] <= held[0]


@pytest.mark.parametrize("way", ["im2col", "implicit"])
def test_large_convolutions(way, cupy, monkeypatch):
    """As in training: thousands of blocks on many processors at once. With TF32 only the first digits are equal."""
    monkeypatch.setattr(cupy, "choose", lambda *sizes: way)
    rng, geometry = np.random.default_rng(0), ConvGeometry((32, 32), (4, 4), (2, 2), (1, 1))
    x, w, g = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((32, 64, 32, 32), (128, 64, 4, 4), (32, 128, 16, 16))
    )
    numpy, exact = backends.get("numpy"), [a.astype(np.float64) for a in (x, w, g)]
    for tf32, tolerance in ((False, 1e-5), (True, 1e-2)):
        cupy.tf32 = tf32
        try:
            for kernel, first, second in (("conv2d", 0, 1), ("conv2d_input", 2, 1), ("conv2d_weight", 0, 2)):
                pair = [cupy.asarray((x, w, g)[i]) for i in (first, second)]
                result = cupy.to_numpy(getattr(cupy, kernel)(*pair, geometry))
                expected = getattr(numpy, kernel)(exact[first], exact[second], geometry)
                assert np.abs(result - expected).max() < tolerance * np.abs(expected).max(), (kernel, tf32)
        finally:
            cupy.tf32 = False


def test_an_array_of_more_than_2_31_elements(cupy):
    size = 2**31 + 1000
    free, _ = cupy.xp.cuda.runtime.memGetInfo()
    if free < 3 * 4 * size:
        pytest.skip(f"needs {3 * 4 * size / 2**30:.0f} GiB of free GPU memory, here are {free / 2**30:.0f}")
    x = cupy.xp.full((size,), -1, np.float32)
    x[-1] = 2
    y = cupy.leaky_relu(x, 0.5)
    assert float(y[0]) == float(y[2**31]) == -0.5 and float(y[-1]) == 2
    del x, y
    cupy.xp.get_default_memory_pool().free_all_blocks()


def test_full_memory_leaves_the_backend_usable(cupy):
    _, total = cupy.xp.cuda.runtime.memGetInfo()
    with pytest.raises(InputError, match="the GPU's memory is full"):
        cupy.empty((total,), np.float32)
    assert float(cupy.sum(cupy.asarray(np.ones(3)), (0,), False)) == 3


def test_training_is_pytorchs_on_the_gpu(cupy):
    """A generator's and a discriminator's forward and gradients, in float64."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    from minigan.interop import to_torch
    from minigan.tensor import Tensor, grad

    rng = np.random.default_rng(0)
    networks = gan.build({"model": "dcgan", "image_size": 64, "channels": 3, "width": 8, "z_dim": 20}, rng)
    for network, shape in zip(networks, ((4, 20), (4, 3, 64, 64)), strict=True):
        x = rng.uniform(-1, 1, shape)
        twin = to_torch(network.to(dtype=np.float64)).cuda()
        own = network.to(cupy)
        y, theirs = own(Tensor(cupy.asarray(x))), twin(torch.tensor(x, device="cuda"))
        np.testing.assert_allclose(y.numpy(), theirs.detach().cpu().numpy(), rtol=1e-9, atol=1e-12)
        gradients = grad((y * y).sum(), own.parameters())
        (theirs * theirs).sum().backward()
        for g, parameter in zip(gradients, twin.parameters(), strict=True):
            np.testing.assert_allclose(g.numpy(), parameter.grad.cpu().numpy(), rtol=1e-7, atol=1e-10)
