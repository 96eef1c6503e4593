"""The game: objectives say who wins, models say who plays, the trainer lets them play."""

from .models import MODELS, build
from .objectives import OBJECTIVES, Minimax, NonSaturating, Objective
from .trainer import Record, Trainer, generate

__all__ = ["MODELS", "OBJECTIVES", "Minimax", "NonSaturating", "Objective", "Record", "Trainer", "build", "generate"]
