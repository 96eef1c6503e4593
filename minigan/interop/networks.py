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


class PhaseShuffle(Network):
    def forward(self, x):
        if not self.training or not self.reach:
            return x
        if hasattr(self, "rng"):
            shifts = torch.from_numpy(self.rng.integers(-self.reach, self.reach + 1, len(x)))
        else:
            shifts = torch.randint(-self.reach, self.reach + 1, (len(x),))
        places = torch.arange(x.shape[2]) + self.reach - shifts[:, None]
        wide = F.pad(x, (self.reach, self.reach), mode="reflect")
        return wide.gather(2, places[:, None].expand(x.shape))


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


class Choose(Network):
    def forward(self, z):
        return (z[:, :1] > torch.tensor(self.thresholds, dtype=z.dtype)).sum(1)


class SelfConditionedGenerator(Network):
    def forward(self, z, clusters=None):
        clusters = self.choose(z) if clusters is None else clusters
        return self.network(torch.cat([z[:, 1:], self.embedding(clusters)], 1))


class SelfConditionedDiscriminator(Network):
    def forward(self, x, clusters=None):
        return self.head(self.body(x), torch.zeros(len(x), dtype=torch.long) if clusters is None else clusters)


class ProjectionDiscriminator(Network):
    def forward(self, x, labels):
        return self.head(self.body(x), labels)


class TextBlock(Network):
    def forward(self, x):
        return x + self.second(F.relu(self.first(F.relu(x)))) * 0.3


class Characters(Network):
    def forward(self, x):
        return torch.softmax(x, 1)


class Reader(Network):
    def forward(self, x):
        return self.head(self.body(x).sum(2))


class Directions(Network):
    def forward(self, z):
        return z @ self.unit.T


class Speller(Network):
    def forward(self, z):
        x, code = self.directions(z), self.code(z)
        noise = -F.softplus(-(x + x**3 * 0.044715) * (8 / torch.pi) ** 0.5).log().unflatten(1, (self.length, -1))
        seen, written = self.before(z), []
        for place in range(self.length):
            logits = self.last(F.relu(self.second(F.relu(self.first(seen) + code)))) + noise[:, place]
            letter = F.one_hot(logits.argmax(1), self.characters).to(logits.dtype)
            if self.training:
                soft = torch.softmax(logits, 1)
                letter = letter - soft.detach() + soft
            seen = torch.cat([seen[:, self.embed.out_features :], self.embed(letter)], 1)
            written.append(letter)
        return torch.stack(written, 2)


class Composer(Network):
    def forward(self, z):
        rows, pitches = self.rows, self.rows - 1
        code, context = self.code(z[:, : self.shared]), self.before(z[:, : self.shared])
        private = z[:, self.shared :].unflatten(1, (self.voices, -1))
        x = torch.stack([to(private[:, v]).unflatten(1, (-1, rows)) for v, to in enumerate(self.directions)], 1)
        logit = (x + x**3 * 0.044715) * (8 / torch.pi) ** 0.5
        noise = torch.cat([-F.softplus(-logit[..., :pitches]).log(), logit[..., pitches:]], 3) + self.start
        order = [0, self.voices - 1, *range(1, self.voices - 1)][: self.voices]
        held = [torch.zeros_like(noise[:, 0, 0, :pitches])] * self.voices
        rolls: list[list[Tensor]] = [[] for _ in range(self.voices)]
        past = torch.zeros_like(context[:, : self.embed.out_features])
        for start in range(0, self.steps, 2):
            h = F.relu(self.first(torch.cat([context, past], 1)) + code)
            h = self.beat[start // 2 % len(self.beat)](h)
            written: list[Tensor] = []
            for place, voice in enumerate(order):
                known = torch.cat([held[voice], *written], 1) * 4
                logits = self.sing[place](torch.cat([F.relu(h + self.hear[place](known)), known], 1))
                notes = self.choose(logits.unflatten(1, (2, rows)) + noise[:, voice, start : start + 2], held[voice])
                held[voice] = notes[:, 1, :pitches]
                written.append(notes.flatten(1))
                rolls[voice].append(notes)
            last = self.embed(torch.cat(written, 1))
            context, past = torch.cat([context[:, self.embed.out_features :], last], 1), past + last
        return torch.stack([torch.cat(notes, 1).transpose(1, 2) for notes in rolls], 1)

    def choose(self, y, held):
        pitch, begins = y[..., :-1], y[..., -1:]
        one, hard = F.one_hot(pitch.argmax(2), pitch.shape[2]).to(y.dtype), (begins >= 0).to(y.dtype)
        if self.training:
            soft, smooth = torch.softmax(pitch, 2), torch.sigmoid(begins)
            one, hard = one - soft.detach() + soft, hard - smooth.detach() + smooth
        first = held + hard[:, 0] * (one[:, 0] - held)
        second = first + hard[:, 1] * (one[:, 1] - first)
        return torch.cat([torch.stack([first, second], 1), hard], 2)


class Listener(Network):
    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        seen = torch.cat([part.flatten(2) for part in (x, *self.intervals(x))], 2) * 4
        return self.head(self.body((self.now(seen) + self.place).transpose(1, 2)).sum(2))

    def intervals(self, x):
        voices = x.shape[2]
        waves = torch.complex(*(x @ self.wheel.T).chunk(2, 3))
        below = [(waves[:, :, :-n], waves[:, :, n:]) for n in range(1, voices)]
        product = torch.cat([a * b.conj() for a, b in ((waves, self.later(waves)), *below)], 2)
        found = torch.cat([product.real, product.imag], 3) @ self.back.T
        moves, chords = found[:, :, :voices, 1:].sum(3, keepdim=True), found[:, :, voices:]
        both = torch.cat([moves[:, :, :-n] * moves[:, :, n:] for n in range(1, voices)], 2)
        return found, chords * self.later(chords) * both

    def later(self, x):
        return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)


# ---- from picture to picture ---------------------------------------------------------------------


def mirrored(x, bottom, right):
    for axis, more in ((2, bottom), (3, right)):
        side = x.shape[axis]
        there_and_back = [*range(side), *range(side - 2, 0, -1)]
        x = x.index_select(axis, torch.tensor([there_and_back[i % len(there_and_back)] for i in range(side + more)]))
    return x


class Residual(Network):
    def forward(self, x):
        change, start = self.body(x), x
        if x.shape[1] == self.channels + 1:
            change, start = change * x[:, self.channels :], x[:, : self.channels]
        return change + (self.enlarge(start) if self.scale > 1 else start)


class PatchGAN(Network):
    def forward(self, picture, source=None):
        if source is None:
            return self.network(picture).flatten(1)
        if source.shape[2:] != picture.shape[2:]:
            source = F.interpolate(source, picture.shape[2:], mode="bilinear")
        return self.network(torch.cat([source, (picture - source[:, : picture.shape[1]]) * 4], 1)).flatten(1)


class UNet(Network):
    def forward(self, x):
        height, width = x.shape[2:]
        whole = 2 ** len(self.down)
        maps = [F.leaky_relu(self.enter(mirrored(x, -height % whole, -width % whole)), 0.2)]
        for down in self.down:
            maps.append(F.leaky_relu(down(maps[-1]), 0.2))
        y = F.leaky_relu(self.middle(maps.pop()), 0.2)
        for up, join in zip(self.up, self.join, strict=True):
            y = F.leaky_relu(join(torch.cat([F.leaky_relu(up(y), 0.2), maps.pop()], 1)), 0.2)
        return self.leave(y)[:, :, :height, :width]


class Block(Network):
    def forward(self, x):
        return x + self.body(x)


class NormedBlock(Network):
    def forward(self, x):
        return x + self.body(x)


class Translator(Network):
    def forward(self, x):
        height, width = x.shape[2:]
        times = 2**self.halvings
        return self.network(mirrored(x, -height % times, -width % times))[:, :, :height, :width]


class Shuffled(Network):
    def forward(self, x):
        height, width = x.shape[2:]
        filled = self.unshuffle(mirrored(x, -height % self.step, -width % self.step))
        return self.shuffle(self.network(filled))[:, :, :height, :width]


class BlockUNet(Network):
    def forward(self, x):
        height, width = x.shape[2:]
        whole = 2 ** len(self.down)
        y, maps = self.enter(mirrored(x, -height % whole, -width % whole)), []
        for before, down in zip(self.before, self.down, strict=True):
            maps.append(before(y))
            y = down(maps[-1])
        y = self.middle(y)
        for up, after in zip(self.up, self.after, strict=True):
            y = after(up(y) + maps.pop())
        return self.leave(y)[:, :, :height, :width]


class EncoderDecoder(Network):
    def forward(self, x):
        height, width = x.shape[2:]
        near = self.enter(mirrored(x, -height % 4, -width % 4))
        y = self.leave(self.merge(torch.cat([self.decode(self.encode(near)), near], 1)))
        return y[:, :, :height, :width]


class Editor(Network):
    def forward(self, x, ask, own=None):
        height, width = x.shape[2:]
        small = made = self.halved(x)
        if self.categories:
            told = torch.cat([ask[:, start:stop] for start, stop in self.categories], 1)
            made = torch.cat([small, told[:, :, None, None].expand(-1, -1, *small.shape[2:])], 1)
        changes = self.body(made).unflatten(1, (-1, small.shape[1]))
        amounts = torch.ones_like(changes[:, :, 0, 0, 0])
        for number, (start, stop) in enumerate(self.numbers, len(amounts[0]) - len(self.numbers)):
            wanted = ask[:, start:stop]
            there = self.see(x)[:, start:stop].softmax(1) if own is None else own[:, start:stop]
            further = wanted - there * wanted.sum(1, keepdim=True)
            amounts[:, number] = further @ torch.linspace(0, 1, stop - start).to(further)
        change = (changes * amounts[:, :, None, None, None]).sum(1)
        return x + self.shuffle(change)[:, :, :height, :width]

    def see(self, x):
        return self.eyes(self.halved(x))

    def halved(self, x):
        return self.unshuffle(mirrored(x, x.shape[2] % 2, x.shape[3] % 2))


class Eyes(Network):
    def forward(self, x):
        maps = self.body(x)
        return self.tell(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


class Detective(Network):
    def forward(self, x, told):
        h = self.body(x)
        return torch.cat([self.psi(h) + (self.match(h) * told).sum(1, keepdim=True), self.see(h)], 1)


# ---- what is in a picture ------------------------------------------------------------------------


class Classifier(Network):
    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


# ---- moving pictures -----------------------------------------------------------------------------


class Film(Network):
    def forward(self, w):
        steps = w.shape[1] - self.content - self.state - self.told
        content, state, noise, told = w.split([self.content, self.state, steps, self.told], 1)
        states = []
        for drawn in noise.split(self.noise, 1):
            state = self.gru(drawn, state)
            states.append(state)
        path = torch.stack(states, 1)
        by, maps = self.place(path).unflatten(2, (-1, 2)), self.drawing(torch.cat([content, told], 1))
        parts = maps.unflatten(1, (self.things + (self.rest is not None), -1))
        seen = self.shifted(parts[:, : self.things], by).sum(2)
        if self.rest is not None:
            seen = seen + parts[:, self.things :] * self.rest + self.look(path)[..., None, None]
        return self.last(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])

    def shifted(self, x, by):
        def mixing(side, by):
            places = torch.arange(side, dtype=x.dtype)
            source = (places - by[..., None]).clamp(0, side - 1)
            weights = F.relu(2 - (source[..., None] - places).abs())
            return weights / weights.sum(-1, keepdim=True)

        rows, columns = (mixing(side, by[..., axis]) for axis, side in enumerate(x.shape[3:]))
        return torch.einsum("ntpij,npcjk,ntplk->ntpcil", rows, x, columns)


class MocoganGenerator(Network):
    def forward(self, z, clusters=None):
        clusters = self.choose(z) if clusters is None else clusters
        return self.network(torch.cat([z[:, 1:], self.embedding(clusters)], 1))


class MocoganDiscriminator(Network):
    def forward(self, clips, clusters=None):
        return self.video(clips, clusters)


class Whole(Network):
    def forward(self, clips):
        return self.network(clips.flatten(1, 2))


class Frames(Network):
    def forward(self, frames):
        features = self.body(frames.flatten(0, 1)).sum((2, 3)).unflatten(0, frames.shape[:2])
        mean = features.mean(1, keepdim=True)
        return self.end(torch.cat([mean.squeeze(1), (features - mean).abs().mean(1)], 1))


class Scene(Network):
    def forward(self, z):
        moving, back = self.foreground(z), self.background(z).unsqueeze(1)
        split = self.frames * back.shape[2]
        front, mask = moving[:, :split].unflatten(1, (self.frames, -1)), (moving[:, split:].unsqueeze(2) + 1) / 2
        return mask * front + (1 - mask) * back
