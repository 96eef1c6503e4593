"""Pictures of one kind turned into another by a network from a file, such as the one that is bundled: a face into an
emoji."""

from .translator import PhotoTranslator, bundled, find

__all__ = ["PhotoTranslator", "bundled", "find"]
