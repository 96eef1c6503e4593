"""What the models of moving pictures share: their judges, and the data they learn from."""

from __future__ import annotations

import numpy as np

from ... import nn
from ...data import Drawn, FrameFolder, is_idx_folder, moving_digits
from ...errors import InputError
from ...ops import abs as absolute
from ...ops import concat
from ...tensor import Tensor
from . import dcgan
from .self_conditioned import GROUP, HIDDEN, features, told
from .self_conditioned import SelfConditionedDiscriminator as Judge
from .sizes import ImageSize

OPTIONS = ("size", "channels", "frames", "digits")  # of ``open_clips``


class Whole(nn.Module):
    """Clips (N, T, C, H, W) -> features: ``network`` sees the frames as channels of one picture, (N, T C, H, W).

    Its first layer sees every frame at once, so that each of its channels answers to a movement, and all that follows
    costs as much as for a picture. A ``conv3d`` sees the same locally, for T times the work.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        count, frames, channels, height, width = clips.shape
        return self.network(clips.reshape(count, frames * channels, height, width))


class Frames(nn.Module):
    """Frames of each clip (N, K, C, H, W) -> features, by which to tell whether they are real and show the same thing.

    ``body`` makes features (N K, features, h, w) of each frame by itself. Their sum over all places does not depend on
    where a thing is. ``end`` sees the mean of that over a clip's frames, and how far they are from it on average.
    """

    def __init__(self, body: nn.Module, end: nn.Module) -> None:
        self.body, self.end = body, end

    def forward(self, frames: Tensor) -> Tensor:
        count, several = frames.shape[:2]
        seen = self.body(frames.reshape(count * several, *frames.shape[2:])).sum((2, 3))
        features = seen.reshape(count, several, -1)
        mean = features.mean(1, keepdims=True)
        apart = absolute(features - mean).mean(1)
        return self.end(concat([mean.reshape(count, -1), apart], axis=1))


def judge_of_clips(rng: np.random.Generator, image_size: ImageSize, channels: int, width: int, clusters: int) -> Judge:
    """clips, clusters (N,) -> logits (N, 1); ``channels``: those of all frames together"""
    return told(Whole(features(rng, image_size, channels, width)), clusters, rng)


def judge_of_frames(rng: np.random.Generator, image_size: ImageSize, channels: int, width: int, clusters: int) -> Judge:
    """frames (N, K, C, H, W), clusters (N,) -> logits (N, 1)"""
    body = nn.Sequential(
        *dcgan.shrinking(rng, image_size, channels, width, batch_norm=False, bias=True),
        nn.MinibatchStd(group_size=GROUP),
        nn.Conv2d(dcgan.widths(image_size, width)[-1] + 1, HIDDEN, 1, rng=rng),
        nn.LeakyReLU(0.2),
    )
    end = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN, rng=rng), nn.LeakyReLU(0.2))
    for network in (body, end):
        nn.init.dcgan_(network, rng)
    return told(Frames(body, end), clusters, rng)


def open_clips(
    source: str, *, size: int | None = None, channels: int | None = None, frames: int = 16, digits: int | None = None
) -> Drawn:
    """MNIST by name, or a folder of IDX files: their pictures, moving. Any other folder: the clips in it."""
    if source == "mnist" or is_idx_folder(source):
        if channels not in (None, 1):
            raise InputError(f"--channels {channels}: the moving pictures of {source} are grey: leave it out")
        root = None if source == "mnist" else source
        return moving_digits(root, digits=digits or 1, frames=frames, size=size or 32)
    if digits is not None:
        raise InputError(f"--digits {digits}: the clips in {source} are there already: leave it out")
    return FrameFolder(source, frames=frames, size=size, channels=channels or 3)
