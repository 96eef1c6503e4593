"""The compiled loops: what they are compiled from, where the code is kept, and that a process may fork or have threads.

Their values are held against the reference in test_numpy_backend.py, their gradients in test_gradcheck.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigan import backend as backends
from minigan import gan
from minigan.backend.numba import activation, filtering, norm, resample
from minigan.backend.numba.backend import LOOPS
from minigan.backend.updates import SGD, Adam, RMSprop
from minigan.cli import main
from minigan.errors import InputError
from minigan.tensor import Tensor

WHY_NOT = backends.available()["numba"]
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
STEPS = """
import numpy as np
from minigan import gan
networks = gan.build({"model": "dcgan", "width": 4, "z_dim": 4}, np.random.default_rng(0))
networks = [network.to("numba") for network in networks]
trainer = gan.MODELS["dcgan"].trainer(*networks, z_dim=4, rng=np.random.default_rng(1))
batch = trainer.game.backend.asarray(np.zeros((4, 1, 28, 28), np.float32))
print([record.d_loss for record in trainer.steps([batch] * 2)])
"""


def python(code, **variables):
    """What a fresh process prints."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return run.stdout.strip()


# ---- an array tells where it belongs ----------------------------------------------------------------


def test_arrays_stay_on_the_backend(rng):
    place = backends.get("numba")
    networks = gan.build({"model": "dcgan", "width": 4, "z_dim": 4}, rng)
    generator, discriminator = (network.to("numba") for network in networks)
    images = generator(Tensor(place.asarray(rng.standard_normal((2, 4)), np.float32)))
    assert images.backend is place and discriminator(images).backend is place
    assert type(images.numpy()) is np.ndarray
    with pytest.raises(TypeError, match=r"different backends \(numba, numpy\)"):
        images + Tensor(images.numpy())


# ---- the loops are what they say ---------------------------------------------------------------------


def plain(loop):
    """The Python of a compiled loop."""
    return getattr(loop, "py_func", loop)


@pytest.mark.parametrize("loop", sorted({f for loops in LOOPS.values() for f in loops}, key=lambda f: f.__name__))
def test_a_loop_is_shown_with_its_formula(loop):
    assert plain(loop).__doc__


def test_loops_give_the_same_compiled_and_in_python(rng):
    x, g = rng.standard_normal((2, 6, 3))
    total, squares = np.empty((2, 3))
    slope = np.float64(0.2)
    cases = [
        (norm.sums, (x, x[0], total, squares), (total, squares)),
        (norm.gradient_sums, (g, x, x, x[0], slope, total, squares), (total, squares)),
        (activation.leaky_relu_loop, (x[:, 0].copy(), slope, total_of := np.empty(6)), (total_of,)),
        (activation.gate_loop, (g[:, 0].copy(), x[:, 0].copy(), slope, gated := np.empty(6)), (gated,)),
        (
            resample.sum_windows,
            (x.reshape(1, 3, 2, 3), 1, 1, 1, 1, 2, 2, 1, 0, y := np.empty((1, 4, 1, 3)), 0, 1),
            (y,),
        ),
    ]
    for loop, arguments, results in cases:
        plain(loop)(*arguments)
        expected = [array.copy() for array in results]
        loop(*arguments)
        for result, right in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, right, rtol=1e-12, atol=1e-12)


def test_kinks_and_infinities():
    """relu(-inf) = 0 and not NaN; NaN is passed on; an infinite gradient does not pass a closed gate of slope 0."""
    x = np.array([-np.inf, -1, -0.0, 0, 2, np.inf, np.nan], np.float32)
    y = np.empty_like(x)
    activation.leaky_relu(x, y, 0.0)
    np.testing.assert_array_equal(y, [0, 0, 0, 0, 2, np.inf, np.nan])
    activation.leaky_relu(x, y, 0.5)
    np.testing.assert_array_equal(y, [-np.inf, -0.5, 0, 0, 2, np.inf, np.nan])
    activation.leaky_relu_gate(np.full(7, np.inf, np.float32), x, y, 0.0)
    np.testing.assert_array_equal(y[:6], [0, 0, 0, 0, np.inf, np.inf])


# ---- optimizers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule, states",
    [
        (SGD(lr=0.1, momentum=0.9, l2=0.01), 1),
        (RMSprop(lr=0.1, alpha=0.99, eps=1e-8), 1),
        (Adam(lr=0.1, betas=(0.5, 0.999), eps=1e-8, step=3, l2=0.1, decay=0.2), 2),
    ],
)
def test_optimizers_match_the_reference(rule, states, rng):
    shapes = [(3,), (), (5, 4, 3, 3), (300, 500)]
    arrays = [[rng.random(shape) for shape in shapes] for _ in range(2 + states)]
    arrays[0].append(rng.random((10, 8))[::2, ::2])  # a parameter that is no dense block of memory
    for others in arrays[1:]:
        others.append(rng.random((5, 4)))
    expected = [[array.copy() for array in of_one] for of_one in arrays]
    backends.get("reference").update(lambda: rule, *expected)
    backends.get("numba").update(lambda: rule, *arrays)
    for of_one, rights in zip(arrays, expected, strict=True):
        for array, right in zip(of_one, rights, strict=True):
            np.testing.assert_allclose(array, right, rtol=1e-10)


def test_average(backend, rng):
    average, parameter = rng.random((2, 4, 5))
    result = backend.asarray(average.copy())
    backend.average([result], [backend.asarray(parameter)], share=0.25)
    np.testing.assert_allclose(backend.to_numpy(result), 0.75 * average + 0.25 * parameter)


def test_adam_in_float32_keeps_the_digits_of_one_minus_beta():
    """1 - 0.999 as float32 numbers has four right digits only."""
    p, m, v = np.zeros((3, 1000), np.float32)
    g = np.ones(1000, np.float32)
    backends.get("numba").adam(Adam(lr=0.1, eps=0.0, step=1), [p], [g], [m], [v])
    np.testing.assert_allclose(v, 0.001, rtol=2e-7)
    np.testing.assert_allclose(p, -0.1, rtol=2e-6)


# ---- filtering's tables ---------------------------------------------------------------------------------


def test_terms_are_those_of_the_matrices():
    from minigan.backend.geometry import ConvGeometry
    from minigan.backend.numpy.filtering import Plan

    lens = Plan.make(ConvGeometry((14, 14), (4, 4), (2, 2), (1, 1)), 4, np.dtype(np.float64)).rows.x
    which, weight = filtering._terms(lens)
    phase, back, back_weight = filtering._adjoint_terms(lens)
    for s, (matrix, part) in enumerate(zip(lens.matrices, lens.slices, strict=True)):
        whole = np.zeros((len(matrix), 14))
        for p in range(len(matrix)):
            np.add.at(whole[p], which[s, p], weight[s, p])
        np.testing.assert_array_equal(whole[:, part], matrix)
        assert np.count_nonzero(whole) == np.count_nonzero(matrix)
        for h in np.flatnonzero(phase == s):
            column = np.zeros(len(matrix))
            np.add.at(column, back[0, h], back_weight[0, h])
            np.testing.assert_array_equal(column, whole[:, h])


# ---- compiled once, and kept where that is possible -------------------------------------------------------


def test_without_a_folder_for_its_code(tmp_path):
    """No place to keep the code, or one that goes away: it is compiled all the same, to the same numbers."""
    code = """
import numpy as np
from minigan.backend.numba import optim
average = np.array([1.0, 2.0])
optim.average_loop(average, np.array([3.0, 5.0]), 0.5)
print(average)
"""
    locators = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    (tmp_path / "file").touch()
    for folder in ("missing/deep", "file/no"):
        assert python(code, NUMBA_CACHE_DIR=str(tmp_path / folder), **locators) == "[2.  3.5]"
    assert list(tmp_path.glob("missing/deep/**/*.nbc"))


def test_minigan_does_not_import_numba():
    assert python("import sys, minigan; print('numba' in sys.modules)") == "False"


def test_without_numba():
    """An error that says what to do, no traceback; and the loops are still there to be read."""
    code = """
import sys
sys.modules["numba"] = None
from minigan import backend, cli
print(backend.available()["numba"])
from minigan.backend.numba import activation
import numpy as np
out = np.zeros(2)
activation.leaky_relu_loop(np.array([-1.0, 2.0]), 0.5, out)
print(out.tolist(), cli.main(["gradcheck", "--backend", "numba"]))
"""
    first, last = python(code).splitlines()
    assert first.startswith("the numba backend needs Numba (") and 'pip install "minigan[numba]"' in first
    assert last == "[-0.5, 2.0] 2"


# ---- processes and threads ----------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_goes_on():
    code = f"""
import os, minigan
minigan.set_num_threads(2)
{STEPS}
child = os.fork()
if child == 0:
    assert [record.d_loss for record in trainer.steps([batch])]
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    python("import warnings; warnings.simplefilter('ignore')\n" + code)


def test_two_threads_compile_and_compute_at_once(rng):
    place = backends.get("numba")
    x = place.asarray(rng.standard_normal((3, 5, 4, 4)))
    one, zero = place.asarray(np.ones(5)), place.asarray(np.zeros(5))
    found = []
    callers = [threading.Thread(target=lambda: found.append(place.batch_norm(x, one, zero, 1e-5)[0])) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4 and all(np.array_equal(y, found[0]) for y in found)


# ---- in use -------------------------------------------------------------------------------------------------


def test_gradcheck_on_the_command_line(capsys):
    assert main(["gradcheck", "--backend", "numba", "--only", "batch_norm"]) == 0
    assert "0 failed" in capsys.readouterr().out


def test_an_unknown_backend_is_told_of_this_one():
    with pytest.raises(InputError, match="reference, numpy, numba, cupy"):
        backends.get("torch")
