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
from .sizes import ImageSize, halvings

OPTIONS = ("size", "channels", "frames", "digits")  # of ``open_clips``
HIDDEN = 256  # units of a judge's last hidden layer
GROUP = 4  # of a batch, that the minibatch standard deviation compares


class ClipJudge(nn.Module):
    """Clips (N, T, C, H, W) -> logits (N, 1): ``network`` sees the frames as channels of one picture, (N, T C, H, W).

    Its first layer sees every frame at once, so that each of its channels answers to a movement, and all that follows
    costs as much as for a picture. A ``conv3d`` sees the same locally, for T times the work.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        count, frames, channels, height, width = clips.shape
        return self.network(clips.reshape(count, frames * channels, height, width))


class FrameJudge(nn.Module):
    """Frames of each clip (N, K, C, H, W) -> logits (N, 1): are they real, and do they show the same thing?

    ``body`` makes features (N K, features) of each frame by itself, wherever the thing in it may be; ``head`` sees
    their mean over a clip's frames, and how far they are from it on average.
    """

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        self.body, self.head = body, head

    def forward(self, frames: Tensor) -> Tensor:
        count, several = frames.shape[:2]
        features = self.body(frames.reshape(count * several, *frames.shape[2:])).reshape(count, several, -1)
        mean = features.mean(1, keepdims=True)
        apart = absolute(features - mean).mean(1)
        return self.head(concat([mean.reshape(count, -1), apart], axis=1))


def judge_of_frames(rng: np.random.Generator, image_size: ImageSize, channels: int, width: int) -> FrameJudge:
    """A ``FrameJudge`` whose body is ``judge`` without its last layer."""
    body = nn.Sequential(*list(judge(rng, image_size, channels, width).children().values())[:-1])
    head = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN, rng=rng), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, 1, rng=rng))
    nn.init.dcgan_(head, rng)
    return FrameJudge(body, head)


def judge(rng: np.random.Generator, image_size: ImageSize, channels: int, width: int) -> nn.Module:
    """DCGAN's discriminator without batch norm, so that R1 may hold its slope; a minibatch standard deviation, by which
    it notices samples too much alike; and a hidden layer that sees the whole."""
    (rows, columns), features = halvings(image_size)[-1], dcgan.widths(image_size, width)[-1]
    network = nn.Sequential(
        *dcgan.shrinking(rng, image_size, channels, width, batch_norm=False, bias=True),
        nn.MinibatchStd(group_size=GROUP),
        nn.Flatten(),
        nn.Linear((features + 1) * rows * columns, HIDDEN, rng=rng),
        nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, 1, rng=rng),
    )
    nn.init.dcgan_(network, rng)
    return network


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
