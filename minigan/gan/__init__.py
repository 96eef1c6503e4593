"""The game: objectives say who wins, penalties keep it fair, models say who plays, the trainer lets them play."""

from .attributes import AttributeEditing
from .augment import DiffAugment, InstanceNoise
from .cycle import Cycle, Exchange
from .ema import EMA
from .fakes import FakeBuffer
from .game import TwoPlayer
from .generate import edit, generate, translate
from .models import EDITORS, MODELS, PAIRED, UNPAIRED, build
from .objectives import (
    OBJECTIVES,
    AuxiliaryClassifier,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    RelativisticAverage,
    Wasserstein,
)
from .packing import Packed
from .paired import Paired
from .penalties import PENALTIES, R1, R2, Dragan, GradientPenalty, Penalty
from .recipes import RECIPES, Recipe
from .record import Record
from .rules import Game, Round, Turn
from .trainer import Trainer
from .video import Video

__all__ = [
    "EDITORS",
    "EMA",
    "Game",
    "MODELS",
    "OBJECTIVES",
    "PAIRED",
    "PENALTIES",
    "R1",
    "RECIPES",
    "R2",
    "UNPAIRED",
    "AttributeEditing",
    "AuxiliaryClassifier",
    "Cycle",
    "DiffAugment",
    "Dragan",
    "Exchange",
    "FakeBuffer",
    "GradientPenalty",
    "Hinge",
    "InstanceNoise",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Packed",
    "Paired",
    "Penalty",
    "Recipe",
    "Record",
    "RelativisticAverage",
    "Round",
    "Trainer",
    "Turn",
    "TwoPlayer",
    "Video",
    "Wasserstein",
    "build",
    "edit",
    "generate",
    "translate",
]
