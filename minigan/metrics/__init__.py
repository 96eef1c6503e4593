"""How good are the samples?"""

from .clips import ClipJudge, ClipStatistics
from .extractor import load_extractor
from .features import Extractor, Features
from .frechet import Gaussian, frechet_distance
from .inception_score import InceptionScore, inception_score
from .kernel import KernelDistance, kernel_distance
from .labels import LabelStatistics, label_statistics
from .markov import MarkovChain
from .memorisation import MemorisationCheck, memorisation_check, nearest_neighbours
from .mifid import memorisation_distance, mifid
from .modes import ModeStatistics, mode_statistics
from .music import music_statistics
from .ngrams import jensen_shannon, ngram_divergence
from .prdc import PrecisionRecall, precision_recall
from .restoration import patch_distance, psnr, ssim
from .ridge import Ridge, ridge

__all__ = [
    "ClipJudge",
    "ClipStatistics",
    "Extractor",
    "Features",
    "Gaussian",
    "InceptionScore",
    "KernelDistance",
    "LabelStatistics",
    "MarkovChain",
    "MemorisationCheck",
    "ModeStatistics",
    "PrecisionRecall",
    "Ridge",
    "frechet_distance",
    "inception_score",
    "jensen_shannon",
    "kernel_distance",
    "label_statistics",
    "load_extractor",
    "memorisation_check",
    "memorisation_distance",
    "mifid",
    "mode_statistics",
    "music_statistics",
    "nearest_neighbours",
    "ngram_divergence",
    "patch_distance",
    "precision_recall",
    "psnr",
    "ridge",
    "ssim",
]
