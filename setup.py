"""Packaging of minigan. Tool settings live in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+?)"', (here / "minigan/__init__.py").read_text()).group(1)

test = ["pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100", "mido>=1.3"]
numba = ["numba>=0.61"]
mpi = ["mpi4py>=4", "mpich>=4.2; sys_platform != 'win32'"]
onnx = ["onnx>=1.16", "onnxruntime>=1.18"]
audio = ["scipy>=1.11"]  # for sounds of other sample rates than 8,000 Hz
music = ["music21>=9.1", "mido>=1.3"]  # MIDI files, and Bach's chorales
notebook = ["ipykernel>=6.29", "nbclient>=0.10"]
lint = ["ruff>=0.15", "mypy>=1.15", "pre-commit>=4"]
release = ["build>=1.2", "twine>=6"]
bench = ["torch>=2.4", "psutil>=5.9", "scipy>=1.11"]

setup(
    name="minigan",
    version=version,
    description="A GAN engine to read, teach from and measure against: autograd, kernels and training in NumPy/CuPy",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["minigan", "minigan.*"]),
    package_data={
        "minigan": [
            "py.typed",
            "data/files/**/*",
            "metrics/files/*",
            "restoration/files/*",
            "translation/files/**/*",
            "backend/cupy/*.cu",
            "backend/cupy/*.cuh",
            "explore/page/*",
            "export/files/*",
        ],
        "minigan.runs": ["report.html", "report.css", "report.js"],
    },
    python_requires=">=3.10",
    install_requires=[
        "numpy>=2",
        "pillow>=10",
        "matplotlib>=3.8",
        "tqdm>=4.66",
        "safetensors>=0.4.3",
        "threadpoolctl>=3.5",
    ],
    extras_require={
        "test": test,
        "numba": numba,
        "onnx": onnx,
        "audio": audio,
        "music": music,
        "mpi": mpi,
        "restore": [
            "scipy>=1.11",
            "scikit-image>=0.24",
            "opencv-python-headless>=4.9",
        ],  # the baselines of evaluate --task
        "cuda12": ["cupy-cuda12x[ctk]>=14"],
        "cuda13": ["cupy-cuda13x[ctk]>=14"],
        "bench": bench,
        "dev": [*test, *bench, *numba, *onnx, *mpi, *notebook, *lint, *release],
    },
    entry_points={"console_scripts": ["minigan = minigan.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
