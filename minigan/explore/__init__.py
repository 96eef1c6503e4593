"""The latent space by hand: a page on this machine that moves a generator's z."""

from .directions import Direction, find_directions
from .inversion import Search

__all__ = ["Direction", "Search", "find_directions"]
