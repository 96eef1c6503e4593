"""Alarms: each is raised by a run in which its cause was planted, and none by a healthy one."""

import functools
import json
import math

import numpy as np
import pytest
from commands import contents
from playing import trainer_of

from minigan import InputError, backend, data, gan, nn, optim
from minigan.errors import DivergenceError
from minigan.gan.health import WINDOW, Health
from minigan.runs import Latents, Run

ARCHITECTURE = {"model": "dcgan", "z_dim": 8, "width": 4}
SETTINGS = {"quiet": True, "architecture": ARCHITECTURE}


@functools.cache
def digits(count):
    return data.Dataset(data.mnist("test").images[:count])


def make_loader(count=4000, kind=data.Loader):
    return kind(digits(count), 8, backend=backend.get("numpy"), rng=np.random.default_rng(1))


def lasting(objective, d_loss, d_real, d_fake):
    """The alarms that such a record raises when it stays."""
    record = {"d_loss": d_loss, "g_loss": 1.0, "d_real": d_real, "d_fake": d_fake, "spread": 0.8, "g_grad": 1.0}
    health = Health(objective)
    return [alarm.kind for step in range(1, 150) for alarm in health.look({"step": step, **record})]


def relativistic_loss(ahead):
    return 2 * math.log1p(math.exp(-ahead))


@pytest.mark.parametrize(
    ("objective", "d_loss", "beliefs", "alarms"),
    [
        (gan.RelativisticAverage(), relativistic_loss(8), (1.0, 1.0), ["d_overpowers"]),  # logits 20 and 12
        (gan.RelativisticAverage(), relativistic_loss(0), (1.0, 1.0), ["equilibrium"]),
        (gan.RelativisticAverage(), relativistic_loss(-2), (0.4, 0.5), ["g_overpowers"]),
        (gan.AuxiliaryClassifier(gan.RelativisticAverage()), 1.4, (1.0, 1.0), []),  # the classifier's part is unknown
        (gan.AuxiliaryClassifier(gan.Hinge()), 2.0, (0.0, 0.0), []),
        (gan.AuxiliaryClassifier(), 3.0, (0.5, 0.5), ["equilibrium"]),
        (gan.LeastSquares(), 0.25, (0.5, 0.5), ["equilibrium"]),
        (gan.Hinge(), 2.0, (0.0, 0.0), ["equilibrium"]),
        (gan.Hinge(), 0.0, (8.0, -8.0), ["d_overpowers"]),
        (gan.Minimax(label_smoothing=0.2), 0.5, (0.79, 0.01), ["d_overpowers"]),
        (gan.Wasserstein(), -9.0, (9.0, 0.0), []),
    ],
)
def test_who_is_ahead_is_the_objectives_to_say(objective, d_loss, beliefs, alarms):
    assert lasting(objective, d_loss, *beliefs) == alarms


def test_an_objective_that_does_not_say_who_is_ahead_is_refused_at_the_start():
    class Mine(gan.Objective):
        pass

    with pytest.raises(NotImplementedError, match=r"Mine\.lead: how far is D ahead\?"):
        Health(Mine())


def make_trainer(g_lr=2e-4, d_lr=2e-4, **settings):
    generator, discriminator = gan.build(ARCHITECTURE, np.random.default_rng(2))
    return trainer_of(
        generator,
        discriminator,
        z_dim=8,
        rng=np.random.default_rng(3),
        g_optimizer=optim.Adam(generator.parameters(), lr=g_lr, betas=(0.5, 0.999)),
        d_optimizer=optim.Adam(discriminator.parameters(), lr=d_lr, betas=(0.5, 0.999)),
        **settings,
    )


def alarms_of(trainer, steps=150, batches=None):
    """The kinds of alarms of so many steps, in the order they are raised."""
    health = Health(trainer.game, trainer.game.waits())
    raised = []
    for record, _ in zip(trainer.steps(batches or make_loader().forever()), range(steps), strict=False):
        raised += [alarm.kind for alarm in health.look(record.as_dict())]
    return raised


# ---- planted faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"objective": gan.LeastSquares()},
        {"objective": gan.Hinge()},
        {"objective": gan.RelativisticAverage()},
        {"objective": gan.Wasserstein(), "clip_weights": 0.01, "n_critic": 2},
        {"objective": gan.NonSaturating(label_smoothing=0.1)},
    ],
)
def test_a_healthy_training_is_silent(settings):
    assert alarms_of(make_trainer(**settings), steps=WINDOW + 60) == []


@pytest.mark.parametrize("objective", [gan.NonSaturating(), gan.Minimax(), gan.Hinge(), gan.LeastSquares()])
def test_a_detective_who_learns_fifty_times_as_fast_overpowers(objective):
    assert "d_overpowers" in alarms_of(make_trainer(g_lr=4e-5, d_lr=2e-3, objective=objective), steps=200)


def test_a_frozen_forger_is_overpowered():
    assert alarms_of(make_trainer(g_lr=0.0, d_lr=2e-3)) == ["d_overpowers"]


def test_a_frozen_detective_is_overpowered():
    assert "g_overpowers" in alarms_of(make_trainer(d_lr=0.0, g_lr=2e-3), steps=300)


def test_equal_latents_are_a_mode_collapse(monkeypatch):
    trainer = make_trainer()
    z = trainer.game.sample_z(8)
    z.data[:] = z.data[0]
    monkeypatch.setattr(trainer.game, "sample_z", lambda count: z)
    assert "mode_collapse" in alarms_of(trainer)


def test_two_who_chase_each_other_oscillate():
    """The Dirac GAN (Mescheder et al. 2018): one number and one slope that circle around each other for ever."""
    generator, discriminator = nn.Linear(1, 1), nn.Linear(1, 1)
    generator.weight.assign(np.zeros((1, 1)))  # what it draws is its bias
    for parameter, value in ((generator.bias, -1), (discriminator.weight, 0), (discriminator.bias, 0)):
        parameter.assign(np.full(parameter.shape, value))
    optimizers = [optim.Adam(network.parameters(), lr=0.1) for network in (generator, discriminator)]
    trainer = trainer_of(
        generator,
        discriminator,
        z_dim=1,
        rng=np.random.default_rng(0),
        g_optimizer=optimizers[0],
        d_optimizer=optimizers[1],
    )
    assert alarms_of(trainer, 300, [np.ones((8, 1), np.float32)] * 300) == ["oscillation"]


def records(**values):
    fine = {"d_loss": 0.7, "g_loss": 1.5, "d_real": 0.7, "d_fake": 0.3, "d_grad": 1.0, "g_grad": 1.0, "spread": 0.8}
    return {**fine, "penalty": 0.0, **values}


def look(health, steps, **values):
    start = getattr(health, "shown", 0)
    health.shown = start + steps
    raised = [health.look({"step": start + i + 1, **records(**values)}) for i in range(steps)]
    return [alarm.kind for alarms in raised for alarm in alarms]


def test_a_detective_who_cannot_tell_is_an_equilibrium():
    health = Health(gan.NonSaturating())
    assert look(health, WINDOW - 1, d_real=0.5, d_fake=0.5) == []
    assert look(health, 1, d_real=0.5, d_fake=0.5) == ["equilibrium"]


def test_a_vanished_gradient_is_told_of_without_beliefs():
    health = Health(gan.Wasserstein())
    assert look(health, 2 * WINDOW, g_grad=5.0, d_real=300.0, d_fake=-300.0) == []
    assert look(health, 2 * WINDOW, g_grad=1e-4) == ["d_overpowers"]


def test_a_collapse_is_a_fall_of_the_spread():
    young, grown = Health(gan.NonSaturating()), Health(gan.NonSaturating())
    assert look(young, 2 * WINDOW, spread=0.08) == []  # it never was much more
    assert look(young, 2 * WINDOW, spread=0.01) == ["mode_collapse"]
    assert look(grown, 2 * WINDOW, spread=0.8) == []
    assert look(grown, 2 * WINDOW, spread=0.08) == ["mode_collapse"]
    assert look(grown, 2 * WINDOW, spread=0.3) == [] and grown.active == []


def test_an_alarm_is_raised_once_and_again_when_it_comes_back():
    health = Health(gan.NonSaturating())
    losing, even = {"d_real": 1.0, "d_fake": 0.0}, {}
    assert look(health, 3 * WINDOW, **losing) == ["d_overpowers"]
    assert health.active == ["d_overpowers"]
    assert look(health, WINDOW, **even) == []
    assert health.active == []
    assert look(health, 3 * WINDOW, **losing) == ["d_overpowers"]


def test_an_alarm_does_not_flicker_at_its_threshold():
    health = Health(gan.NonSaturating())
    rng = np.random.default_rng(0)
    raised = [kind for lead in rng.normal(0.97, 0.02, 3000) for kind in look(health, 1, d_real=lead, d_fake=0.0)]
    assert raised == ["d_overpowers"]


def test_nothing_is_said_of_what_is_not_known():
    health = Health(gan.NonSaturating(), {"g_loss": 5, "g_grad": 5})
    assert look(health, 4, g_loss=math.nan, g_grad=math.nan) == []
    assert look(health, 3 * WINDOW, spread=math.nan) == []  # real images that are all the same


@pytest.mark.parametrize("name", ["d_loss", "g_loss", "d_real", "d_fake", "d_grad", "g_grad", "penalty"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_of_at_once(name, value):
    (alarm,) = Health(gan.NonSaturating()).look({"step": 1, **records(**{name: value})})
    assert (alarm.kind, alarm.text) == ("not_finite", f"{name} is {value}")


def test_images_that_are_all_the_same_give_no_spread():
    trainer = make_trainer()
    black = np.full((8, 1, 28, 28), -1, np.float32)
    assert math.isnan(next(trainer.steps([black])).spread)


# ---- in a run -------------------------------------------------------------------------------------------------------


def go(out, trainer, loader=None, **settings):
    settings = {"looks": Latents(8, np.random.default_rng(5)), **SETTINGS, **settings}
    with Run(out, trainer, loader or make_loader(), **settings) as run:
        for _ in run.steps():
            pass


def alarms_written(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], alarm["kind"]) for line in lines for alarm in line.get("alarms", [])]


def test_alarms_are_shown_written_and_survive_a_break(tmp_path, capfd):
    frozen = {"g_lr": 0.0, "d_lr": 2e-3}
    go(tmp_path / "whole", make_trainer(**frozen), steps=140, quiet=False)
    shown = capfd.readouterr().err
    ((step, kind),) = alarms_written(tmp_path / "whole")
    assert kind == "d_overpowers" and 100 <= step <= 130
    assert f"alarm at step {step}: d_overpowers: D(x) was" in shown and "[d_overpowers]" in shown
    for steps in (60, step + 1, 140):
        go(tmp_path / "parts", make_trainer(**frozen), steps=steps, resume=steps > 60)
    assert capfd.readouterr().err.count("d_overpowers") == 1  # it is not raised again by what is read back
    for name in ("metrics.jsonl", "curves.png", "training.gif"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_what_is_well_is_a_note():
    health = Health(gan.NonSaturating())
    even = {"d_loss": 1.39, "g_loss": 0.7, "d_real": 0.51, "d_fake": 0.49, "spread": 0.8, "g_grad": 1.0}
    (note,) = [alarm for step in range(1, 150) for alarm in health.look({"step": step, **even})]
    assert str(note).startswith("note at step 100: equilibrium") and not note.is_bad


class Spoilt(data.Loader):
    """Puts a NaN into one image of one batch of the second epoch."""

    def _host_batch(self, order, number):
        images, *labels = super()._host_batch(order, number)
        if self.epoch == 1 and number == 5:
            images[3, 0, 7, 7] = np.nan
        return images, *labels


def test_a_batch_of_nan_ends_the_training_before_it(tmp_path, capfd):
    bad = 16 + 6

    def spoilt():
        return make_loader(16 * 8, Spoilt)

    trainer = make_trainer()
    with pytest.raises(DivergenceError) as caught:
        go(tmp_path / "bad", trainer, spoilt(), epochs=3)
    saved = tmp_path / "bad" / "checkpoints" / f"step-{bad - 1:08d}.safetensors"
    assert f"step {bad}: d_loss is nan" in str(caught.value)
    assert "first of all, an image of the batch holds 1 NaN, 0 infinite of 6272 values" in str(caught.value)
    assert f"The state just before is in {saved}" in str(caught.value)
    assert alarms_written(tmp_path / "bad") == [(bad, "not_finite")]
    assert capfd.readouterr().err.startswith(f"alarm at step {bad}: not_finite: d_loss is nan")
    # What is left is what a run has that stopped before the bad step.
    go(tmp_path / "good", make_trainer(), make_loader(16 * 8), steps=bad - 1)
    for name in (f"checkpoints/step-{bad - 1:08d}.safetensors", "model.safetensors", "interpolation.png"):
        assert (tmp_path / "bad" / name).read_bytes() == (tmp_path / "good" / name).read_bytes(), name
    before = contents(tmp_path / "bad")
    with pytest.raises(DivergenceError, match=f"step {bad}: d_loss is nan"):  # and going on comes to the same
        go(tmp_path / "bad", make_trainer(), spoilt(), epochs=3, resume=True)
    assert contents(tmp_path / "bad") == before


@pytest.mark.filterwarnings("ignore:.* encountered in")
@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("generator", r"step 5: generator\.4\.weight is not finite after it\."),
        (
            "discriminator",
            r"step 5: .*; first of all, the parameter discriminator\.2\.weight holds 0 NaN, \d+ infinite",
        ),
    ],
)
def test_a_parameter_spoilt_by_its_update_is_named(tmp_path, network, message):
    trainer = make_trainer()
    optimizer = trainer.optimizers["g"] if network == "generator" else trainer.optimizers["d"]
    parameter = trainer.game.networks[network][4 if network == "generator" else 2].weight
    update = optimizer.step

    def spoil(gradients):
        update(gradients)
        if optimizer.step_count == 5:
            parameter.data[0] = np.inf

    optimizer.step = spoil
    with pytest.raises(DivergenceError, match=message):
        go(tmp_path, trainer, steps=9)
    assert max(path.name for path in (tmp_path / "checkpoints").iterdir()) == "step-00000004.safetensors"


@pytest.mark.filterwarnings("ignore:.* encountered in")
def test_a_spoilt_op_is_named_with_its_layer(tmp_path, monkeypatch):
    trainer = make_trainer()
    forward = type(trainer.game.discriminator[2]).forward

    def spoil(module, x):
        y = forward(module, x)
        return (y - y) / (y - y) if module is trainer.game.discriminator[2] and trainer.step_count == 4 else y

    monkeypatch.setattr(type(trainer.game.discriminator[2]), "forward", spoil)
    with pytest.raises(DivergenceError, match=r"step 4: .* Div in discriminator\.2 \(Conv2d\) made \d+ NaN"):
        go(tmp_path, trainer, steps=9)


@pytest.mark.filterwarnings("ignore:.* encountered in")
def test_a_training_that_begins_with_nan_is_refused(tmp_path):
    trainer = make_trainer()
    trainer.game.generator.parameters()[0].data[0] = np.nan
    with pytest.raises(InputError, match=r"generator.* is not finite at the start"):
        go(tmp_path, trainer)
