"""A trainer of the two-player game from one list of settings: the game's, its optimizers and the trainer's own."""

from minigan import gan
from minigan.gan.models.model import GAME_SETTINGS


def trainer_of(generator, discriminator, *, z_dim, rng, **settings):
    of_game = {name: settings.pop(name) for name in GAME_SETTINGS if name in settings}
    optimizers = {which: settings.pop(f"{which}_optimizer") for which in "gd" if f"{which}_optimizer" in settings}
    game = gan.TwoPlayer(generator, discriminator, z_dim=z_dim, rng=rng, **of_game)
    return gan.Trainer(game, optimizers, **settings)
