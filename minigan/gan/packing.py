"""PacGAN (Lin et al. 2018): a detective who sees several samples at once notices when they are all alike."""

from __future__ import annotations

from ..errors import InputError
from ..nn import Module
from ..ops.across import gathered, own
from ..sizes import size
from ..tensor import Tensor


class Packed(Module):
    """A discriminator that judges ``pac`` samples together: (N, C, ...) is handed to it as (N / pac, pac * C, ...).

    Build the inner discriminator for pac times the channels. It returns N / pac logits. A penalty on its slope looks at
    each sample of a pack by itself.
    """

    def __init__(self, discriminator: Module, pac: int) -> None:
        self.discriminator, self.pac = discriminator, size("Packed: pac", pac)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) % self.pac:
            raise InputError(f"Packed: a batch of {len(x)} cannot be packed in groups of {self.pac}")
        x = gathered(x)  # the packs of a batch that is split over processes are those of the whole
        return self.discriminator(own(x.reshape(-1, self.pac * x.shape[1], *x.shape[2:])))
