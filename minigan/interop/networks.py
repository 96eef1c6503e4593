"""In PyTorch: the layers and networks of minigan that it has no class for, each by the name that it has here.

A network is its parts, the settings that its forward reads, and that forward. This file is imported with PyTorch only.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Network(nn.Module):
    """Modules, parameters, buffers and settings by name, as they were handed over."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)


# ---- layers --------------------------------------------------------------------------------------


class Maxout(Network):
    def forward(self, x):
        return x.unflatten(1, (-1, self.pieces)).amax(2)


class MinibatchStd(Network):
    def forward(self, x):
        n, c, h, w = x.shape
        size = min(self.group_size, n)
        groups = x.reshape(size, n // size, self.num_channels, c // self.num_channels, h, w)
        std = (groups.var(0, correction=0) + 1e-8).sqrt().mean((2, 3, 4), keepdim=True)
        told = std.expand(size, -1, -1, 1, h, w).reshape(n, self.num_channels, h, w)
        return torch.cat([x, told], 1)


class SelfAttention2d(Network):
    def forward(self, x):
        f, g, h = (conv(x).flatten(2).transpose(1, 2) for conv in (self.f, self.g, self.h))
        gathered = torch.softmax(g @ f.transpose(1, 2), -1) @ h
        return x + self.v(gathered.transpose(1, 2).unflatten(2, x.shape[2:])) * self.gamma


class ConditionalBatchNorm2d(Network):
    def forward(self, x, labels):
        if self.training:
            self.num_batches_tracked += 1
        running = self.running_mean, self.running_var
        xhat = F.batch_norm(x, *running, training=self.training, momentum=self.momentum, eps=self.eps)
        gain, bias = (table(labels).reshape(len(x), -1, *[1] * (x.ndim - 2)) for table in (self.gain, self.bias))
        return xhat * gain + bias


class ProjectionHead(Network):
    def forward(self, h, labels):
        return self.psi(h) + (self.embed(labels) * h).sum(1, keepdim=True)


# ---- networks of the zoo -------------------------------------------------------------------------


class UpBlock(Network):
    def forward(self, x):
        return self.body(x) + self.skip(x)


class DownBlock(Network):
    def forward(self, x):
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        y = h + self.skip(x)
        return F.avg_pool2d(y, 2) if self.shrink else y


class Critic(Network):
    def forward(self, x):
        return self.head(F.relu(self.blocks(x)).sum((2, 3)))


class ConditionalGenerator(Network):
    def forward(self, z, labels):
        return self.network(torch.cat([z, self.embedding(labels)], 1))


class ConditionalDiscriminator(Network):
    def forward(self, x, labels):
        told = self.embedding(labels).reshape(len(x), 1, self.height, self.width)
        return self.network(torch.cat([x, told], 1))


class ScaledGenerator(Network):
    def forward(self, z, labels):
        return self.network(z * self.embedding(labels))


class ClassifyingDiscriminator(Network):
    def forward(self, x, labels):
        return self.network(x)
