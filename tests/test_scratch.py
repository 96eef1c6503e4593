"""Importing changes no setting of the process; a run asks for what it wants, and gives it back."""

import platform
import sys

import pytest
from commands import python

GLIBC = platform.libc_ver()[0] == "glibc"
MEASURE = """
import numpy as np
import minigan
from minigan import backend, ops
from minigan.tensor import Tensor

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

def fill_and_free():
    arrays = [np.ones(1 << 20, np.float64) for _ in range(32)]
    arrays = arrays[:-1]
    del arrays

x = Tensor(backend.get("numpy").asarray(np.ones((2, 3, 8, 8), np.float32)))
ops.conv2d(x, Tensor(np.ones((4, 3, 3, 3), np.float32)))
before = resident()
"""


def measured(tmp_path, code):
    done = python("-c", MEASURE + code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_freed_goes_back_to_the_system(tmp_path):
    (grown,) = measured(tmp_path, "fill_and_free(); print(resident() - before)")
    assert grown < 64  # of 256


@pytest.mark.skipif(sys.platform != "linux" or not GLIBC, reason="glibc's setting")
def test_within_a_run_it_is_kept_and_given_back_at_the_end(tmp_path):
    code = """
with minigan.keep_freed_memory():
    with minigan.keep_freed_memory():
        fill_and_free()
    within = resident() - before
print(within, resident() - before)
"""
    within, after = measured(tmp_path, code)
    assert within > 192 and after < 64


def test_a_run_asks_for_it(tmp_path):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import test_run
from minigan.backend.numpy import scratch
with test_run.make_run(sys.argv[2]):
    print(scratch._keepers)
print(scratch._keepers)
"""
    from commands import ROOT

    done = python("-c", code, ROOT / "tests", tmp_path / "out", cwd=tmp_path)
    assert done.stdout.split() == ["1", "0"], done.stderr
