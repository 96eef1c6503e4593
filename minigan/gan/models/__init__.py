"""The zoo: GANs of the literature by name, each a short file that says what its paper did."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from . import (
    acgan,
    attribute,
    cgan,
    context_encoder,
    cyclegan,
    dcgan,
    dncnn,
    drunet,
    gan,
    mocogan,
    musegan,
    pix2pix,
    self_conditioned,
    sngan,
    specgan,
    srgan,
    text_gumbel,
    text_wgan,
    vgan,
    wavegan,
    wgan,
    wgan_gp,
)
from .attribute import AttributeModel
from .model import Model, Networks
from .paired import PairedModel
from .unpaired import UnpairedModel

MODELS: dict[str, Model] = {
    module.MODEL.name: module.MODEL
    for module in (
        gan,
        dcgan,
        wgan,
        wgan_gp,
        sngan,
        cgan,
        acgan,
        self_conditioned,
        specgan,
        wavegan,
        mocogan,
        vgan,
        text_wgan,
        text_gumbel,
        musegan,
    )
}

PAIRED: dict[str, PairedModel] = {  # from picture to picture
    module.MODEL.name: module.MODEL for module in (pix2pix, srgan, context_encoder, dncnn, drunet)
}

UNPAIRED: dict[str, UnpairedModel] = {  # the same, learned without pairs
    module.MODEL.name: module.MODEL for module in (cyclegan,)
}

EDITORS: dict[str, AttributeModel] = {attribute.MODEL.name: attribute.MODEL}  # change one thing in a picture

# What a file says of its network beside what it is made of: what it was trained for.
TOLD = ("task", "whole")

__all__ = [
    "EDITORS",
    "MODELS",
    "PAIRED",
    "UNPAIRED",
    "AttributeModel",
    "Model",
    "Networks",
    "PairedModel",
    "UnpairedModel",
    "build",
]


def build(architecture: dict[str, Any], rng: np.random.Generator) -> Networks:
    """Generator and discriminator from ``{"model": name, setting: value, ...}``.

    Raises InputError for an unknown model and for settings that it does not have or cannot be built with.
    """
    settings = dict(architecture)
    name = settings.pop("model", None)
    known: dict[Any, Model | PairedModel | UnpairedModel | AttributeModel] = {**MODELS, **PAIRED, **UNPAIRED, **EDITORS}
    if not isinstance(name, str) or name not in known:
        raise InputError(f"unknown model {name!r}: choose one of {', '.join(known)}")
    for setting in {"channels", "z_dim", "width", "classes"} & settings.keys():
        value = settings[setting]
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (whole and value >= 1) and not (setting == "width" and value is None):
            raise InputError(f"model {name}: {setting} = {value!r} must be a whole number of at least 1")
    if name not in MODELS:
        for told in TOLD:
            settings.pop(told, None)
    try:
        return known[name].networks(rng=rng, **settings)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"model {name}: the settings {settings} need more memory than there is") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"model {name}: the settings {settings} do not fit ({error})") from None
