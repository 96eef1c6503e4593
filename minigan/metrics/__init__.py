"""How good are the samples?"""

from .modes import ModeStatistics, mode_statistics

__all__ = ["ModeStatistics", "mode_statistics"]
