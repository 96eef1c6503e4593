"""WGAN (Arjovsky, Chintala & Bottou 2017): a critic, kept from growing steep by clipping its weights."""

from ..objectives import Wasserstein
from .dcgan import dcgan
from .model import Model

MODEL = Model(
    name="wgan",
    summary="DCGAN's networks; a critic with clipped weights estimates a distance",
    paper="Arjovsky, Chintala & Bottou 2017, arXiv:1701.07875",
    networks=dcgan,
    objective=Wasserstein(),
    optimizer="rmsprop",
    g_lr=5e-5,
    d_lr=5e-5,
    n_critic=5,
    clip_weights=0.01,
)
