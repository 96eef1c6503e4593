"""A whole GAN on one page: MNIST's digits, two networks, the loop written out, and pictures.

``python examples/one_page.py [STEPS]`` takes two minutes for 1,000 steps, and draws into out/ at every 250th.
"""

import sys
from pathlib import Path

import numpy as np

from minigan import backend, data, nn, no_grad, ops, optim, viz
from minigan.tensor import Tensor, grad

steps, batch_size, z_dim, width = int(sys.argv[1]) if sys.argv[1:] else 1000, 64, 64, 32
rng, out = np.random.default_rng(0), Path("out")
out.mkdir(exist_ok=True)

# The forger: 64 random numbers become a 7x7 map, which doubles its side twice.
generator = nn.Sequential(
    nn.Linear(z_dim, 2 * width * 7 * 7, rng=rng),
    nn.Reshape(2 * width, 7, 7),
    nn.BatchNorm2d(2 * width),
    nn.ReLU(),
    nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, rng=rng),
    nn.BatchNorm2d(width),
    nn.ReLU(),
    nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1, rng=rng),
    nn.Tanh(),
)
# The detective: the way back, to one number, which is above 0 where it believes that a picture is real.
discriminator = nn.Sequential(
    nn.Conv2d(1, width, 4, stride=2, padding=1, rng=rng),
    nn.LeakyReLU(0.2),
    nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, rng=rng),
    nn.LeakyReLU(0.2),
    nn.Flatten(),
    nn.Linear(2 * width * 7 * 7, 1, rng=rng),
)
g_adam, d_adam = (optim.Adam(n.parameters(), lr=1e-3, betas=(0.0, 0.99)) for n in (generator, discriminator))
digits = data.Loader(data.mnist(), batch_size, backend=backend.get("numpy"), rng=rng).forever()
shown = Tensor(rng.standard_normal((64, z_dim)).astype(np.float32))
for step in range(1, steps + 1):
    real = Tensor(next(digits), requires_grad=True)
    fake = generator(Tensor(rng.standard_normal((batch_size, z_dim)).astype(np.float32)))

    # The detective learns: -log D(real) - log(1 - D(fake)), and its slope at real pictures is kept gentle (R1).
    real_logits, fake_logits = discriminator(real), discriminator(fake.detach())
    d_loss = ops.softplus(-real_logits).mean() + ops.softplus(fake_logits).mean()
    (slope,) = grad(real_logits.sum(), [real], create_graph=True)
    d_adam.step(grad(d_loss + (slope * slope).sum((1, 2, 3)).mean() * 0.5, d_adam.params))

    # The forger learns what would have fooled the detective that has just learned: -log D(fake).
    g_loss = ops.softplus(-discriminator(fake)).mean()
    g_adam.step(grad(g_loss, g_adam.params))

    if step % 250 == 0 or step == steps:
        with no_grad():
            viz.save_png(out / f"one-page-{step:04d}.png", viz.grid(generator(shown).numpy(), columns=8))
        print(f"step {step}: the detective's loss {d_loss.item():.2f}, the forger's {g_loss.item():.2f}")
