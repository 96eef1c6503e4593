"""minigan doctor: every line for what is there, and one command for what is not."""

import importlib.metadata
import os
import sys

import fake_cupy
import numpy as np
import pytest

import minigan
from minigan import backend as backends
from minigan.cli import main
from minigan.commands import doctor

on_stand_in = pytest.mark.skipif(not fake_cupy.installed, reason="here is a GPU")


def report(capsys):
    """The exit status, and the lines by their first words."""
    status = main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    what = [line[:14].strip() for line in lines]
    return status, {
        name or f"fix {what[i - 1]}": line[15:] for i, (name, line) in enumerate(zip(what, lines, strict=True))
    }


@on_stand_in
@pytest.mark.skipif(bool(backends.available()["cupy"]), reason="the stand-in cannot run here")
def test_all_is_well(capsys):
    status, lines = report(capsys)
    assert status == 0
    assert lines["Python"].split()[0] == ".".join(map(str, sys.version_info[:3]))
    assert lines["NumPy"] == np.__version__ and lines["minigan"] == minigan.__version__
    assert "threads)" in lines["BLAS"] and lines["CPU threads"].split()[0] == str(minigan.get_num_threads())
    assert lines["CUDA"] == "13.0" and lines["NVIDIA driver"] == "for CUDA up to 13.0"
    assert lines["GPU"] == "stand-in on the CPU, compute capability 9.0"
    assert lines["GPU memory"].endswith("GiB free of 8.0 GiB")
    assert lines["cupy backend"] == "its kernels run"
    assert not any(name.startswith("fix") for name in lines) or lines["MPI"] == "not installed"


@pytest.mark.parametrize("driver, extra", [(0, "cuda13"), (13020, "cuda13"), (12080, "cuda12")])
def test_without_cupy(driver, extra, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(doctor, "driver_version", lambda: driver)
    status, lines = report(capsys)
    assert status == 0  # a GPU is no must
    assert lines["CuPy"] == "not installed" and lines["fix CuPy"].endswith(f'-m pip install "minigan[{extra}]"')
    assert ("fix NVIDIA driver" in lines) == (driver == 0)


@on_stand_in
def test_with_a_driver_that_is_too_old(capsys, monkeypatch):
    import cupy

    def fail():
        raise cupy.cuda.runtime.CUDARuntimeError(35)

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", fail)
    monkeypatch.setattr(cupy.cuda.runtime, "driverGetVersion", lambda: 12040)
    monkeypatch.setattr(backends, "_by_name", {k: v for k, v in backends._by_name.items() if k != "cupy"})
    status, lines = report(capsys)
    assert status == 0 and "knows CUDA up to 12.4: update the driver" in lines["cupy backend"]


def test_a_needed_package_that_is_missing(capsys, monkeypatch):
    known = importlib.metadata.version

    def find(name):
        if name == "tqdm":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", find)
    status, lines = report(capsys)
    assert status == 1
    assert lines["tqdm"] == "not installed" and lines["fix tqdm"].endswith("-m pip install tqdm")


def test_a_blas_that_cannot_be_controlled(capsys, monkeypatch):
    monkeypatch.setattr(doctor.blas, "libraries", lambda: [])
    _, lines = report(capsys)
    assert "one thread" in lines["BLAS"] and "pip install" in lines["fix BLAS"]


@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia"), reason="here is a driver")
def test_no_driver_is_seen_without_one():
    assert doctor.driver_version() == 0
