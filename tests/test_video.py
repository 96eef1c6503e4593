"""Clips from end to end: the game, the models, the alarm, the commands, and how they resume."""

import numpy as np
import pytest
import small_models
from PIL import Image, ImageSequence

from minigan import cli, data, gan, media, nn
from minigan.errors import InputError
from minigan.gan.health import Health
from minigan.gan.models.mocogan import shifted
from minigan.gradcheck import check_grad
from minigan.tensor import Tensor

SMALL = {"model": "mocogan", "image_size": 8, "frames": 3, "width": 4, "z_dim": 9, "state": 4, "noise": 1}


def trainer(place="numpy", **changes):
    networks = [network.to(place) for network in gan.build(SMALL, np.random.default_rng(0))]
    return gan.MODELS["mocogan"].trainer(*networks, z_dim=9, rng=np.random.default_rng(1), **changes)


def batches(count, rng):
    for _ in range(count):
        yield rng.uniform(-1, 1, (4, 3, 1, 8, 8)).astype(np.float32)


def latents(generator, frames, count=4, seed=0):
    return np.random.default_rng(seed).standard_normal((count, generator.z_dim_for(frames)))


# ---- the models ---------------------------------------------------------------------------------------------------


def test_a_longer_z_is_a_longer_clip_that_begins_the_same():
    generator, _ = gan.build(SMALL, np.random.default_rng(0))
    z = latents(generator, 7)
    long, short = gan.generate(generator, z), gan.generate(generator, z[:, : 6 + 3])
    assert long.shape == (4, 7, 1, 8, 8)
    np.testing.assert_allclose(long[:, :3], short, atol=1e-6)


def test_content_is_what_all_frames_share_and_motion_what_they_do_not():
    generator, _ = gan.build(SMALL, np.random.default_rng(0))
    seen = []
    film = generator.network
    film.drawing, film.place = nn.Sequential(Spy(seen), film.drawing), nn.Sequential(film.place, Spy(seen))
    gan.generate(generator, latents(generator, 5))
    content, places = seen
    assert content.shape == (4, film.content + film.told)
    places = places.reshape(4, 5, 2)
    assert (places[:, 1:] != places[:, :-1]).all()


@pytest.mark.parametrize("by", [(0, 0), (2, -1), (-3, 4), (0.25, 0), (-1.5, 0.75), (40, 0)])
def test_maps_are_moved_and_smooth(by, backend, rng):
    """Each pixel is a mean of those around the place that it comes from, with weights 2 - distance."""
    x = rng.standard_normal((1, 1, 3, 5, 6)).astype(np.float32)
    y = shifted(Tensor(backend.asarray(x)), Tensor(backend.asarray(np.array([[[by]]], np.float32))))
    assert y.shape == (1, 1, 1, 3, 5, 6)
    for i, j in np.ndindex(5, 6):
        source = np.clip(np.subtract((i, j), by), 0, (4, 5))
        down, across = (np.maximum(0, 2 - abs(source[a] - np.arange(side))) for a, side in enumerate((5, 6)))
        weights = np.outer(down / down.sum(), across / across.sum())
        np.testing.assert_allclose(
            backend.to_numpy(y.data)[0, 0, 0, :, i, j], (x[0, 0] * weights).sum((1, 2)), atol=1e-6
        )


def test_a_rough_map_does_not_flicker_as_it_moves():
    x = np.indices((1, 1, 1, 16, 16))[4] % 2 * 2.0 - 1
    by = np.linspace(0, 2, 9)[None, :, None, None] * [0, 1]
    assert np.abs(shifted(Tensor(x), Tensor(by)).numpy()[..., 4:-4]).max() < 1e-12


def test_each_part_goes_its_own_way_in_each_frame(rng):
    x = Tensor(rng.standard_normal((2, 2, 3, 4, 4)))
    by = rng.integers(-2, 3, (2, 5, 2, 2)).astype(float)
    moved = shifted(x, Tensor(by)).numpy()
    for n, t, p in np.ndindex(2, 5, 2):
        alone = shifted(x[n : n + 1, p : p + 1], Tensor(by[n : n + 1, t : t + 1, p : p + 1])).numpy()
        np.testing.assert_allclose(moved[n, t, p], alone[0, 0, 0])


@pytest.mark.parametrize("things", [None, 1, 2])
def test_what_moves_and_what_rests(things, rng):
    """Maps of a single pixel each: of every thing one, and of what rests."""
    generator, _ = gan.build({**SMALL, "things": things}, rng)
    film = generator.network
    film.last = nn.Sequential()
    spots = np.zeros((1, (things or 2) * 4, 16, 16), np.float32)
    spots[0, 0, 3, 3] = 1
    spots[0, 4:, 12, 8] = 4  # of the second part

    class Fixed(nn.Module):
        def forward(self, x):
            return Tensor(spots)

    film.drawing = Fixed()
    film.place.bias.assign(np.arange(2 * (things or 1)))
    film.place.weight.assign(0)
    if things is None:
        plain = gan.generate(generator, latents(generator, 2, 1))
        film.rest.assign([0.5])
        rested = gan.generate(generator, latents(generator, 2, 1))
        assert rested[0, 0, 0, 12, 8] - plain[0, 0, 0, 12, 8] == pytest.approx(2)
        film.look.weight.assign(np.eye(4))
        looks = gan.generate(generator, latents(generator, 2, 1))
        assert (looks[0, 0] != looks[0, 1]).all()
        return
    shown = gan.generate(generator, latents(generator, 2, 1))[0, 0, 0]
    assert np.unravel_index(shown[:10].argmax(), (10, 16)) == (3, 4)
    if things == 2:
        assert np.unravel_index(shown.argmax(), (16, 16)) == (14, 11)


def test_the_way_has_a_gradient(rng):
    x, by = rng.standard_normal((2, 2, 1, 3, 3)), rng.uniform(-0.8, 0.8, (2, 2, 2, 2))
    check_grad(shifted, Tensor(x), Tensor(by))


class Spy(nn.Module):
    def __init__(self, seen):
        self.seen = Seen(seen)

    def forward(self, x):
        self.seen.into.append(x.numpy().copy())
        return x


class Seen:
    def __init__(self, into):
        self.into = into


@pytest.mark.parametrize("name", ["mocogan", "vgan"])
def test_every_player_is_told_the_cluster(name, rng):
    architecture = small_models.architecture(name)
    generator, discriminator = gan.build({**architecture, "clusters": [3, 1, 2]}, rng)
    z = Tensor(rng.standard_normal((8, 6)).astype(np.float32))
    with nn.mode(generator, training=False):
        chosen = generator.choose(z)
        np.testing.assert_array_equal(generator(z).numpy(), generator(z, chosen).numpy())
        assert not np.allclose(generator(z).numpy(), generator(z, (chosen + 1) % 3).numpy())
    clips = Tensor(rng.uniform(-1, 1, (8, 3, 1, 8, 8)).astype(np.float32))
    for judge in (discriminator, discriminator.image) if name == "mocogan" else (discriminator,):
        one, other = (judge(clips, np.full(8, cluster)).numpy() for cluster in (0, 1))
        assert one.shape == (8, 1) and not np.allclose(one, other)
        with pytest.raises(InputError, match="has to be told"):
            judge(clips)


@pytest.mark.parametrize("z_dim", [3, 10])
def test_a_z_that_makes_no_whole_frames_is_refused(z_dim):
    generator, _ = gan.build({**SMALL, "noise": 2, "z_dim": 12}, np.random.default_rng(0))
    with pytest.raises(InputError, match="a clip of T frames needs 6 \\+ 2 T"):
        generator(Tensor(np.zeros((1, 9 if z_dim == 10 else z_dim), np.float32)))


def test_too_few_numbers_for_the_motion_are_refused():
    with pytest.raises(InputError, match="takes 7 numbers, the content two at least"):
        gan.build({**SMALL, "z_dim": 8}, np.random.default_rng(0))


def test_vgan_shows_its_background_where_the_mask_is_dark():
    generator, _ = gan.build(
        {"model": "vgan", "image_size": 8, "frames": 3, "width": 4, "z_dim": 5}, None or np.random.default_rng(0)
    )

    class Fixed(nn.Module):
        def forward(self, z):
            made = np.full((len(z), 6, 8, 8), 0.5, np.float32)
            made[:, 3:] = np.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)  # masks 0, 1/2, 1
            return Tensor(made)

    z = np.random.default_rng(1).standard_normal((2, 5))
    back = gan.generate(nn.Sequential(Mapped(generator), generator.network.background), z)
    generator.network.foreground = Fixed()
    clips = gan.generate(generator, z)
    np.testing.assert_allclose(clips[:, 0], back, atol=1e-6)
    np.testing.assert_allclose(clips[:, 1], back / 2 + 0.25, atol=1e-6)
    np.testing.assert_allclose(clips[:, 2], np.full_like(back, 0.5), atol=1e-6)


class Mapped(nn.Module):
    """What the generator's network is given."""

    def __init__(self, generator):
        self.generator = Seen(generator)

    def forward(self, z):
        return self.generator.into.mapping(z)


# ---- the game -----------------------------------------------------------------------------------------------------


def test_the_judge_of_frames_sees_frames_of_the_clip_in_question(backend):
    game = trainer(backend.name).game
    clips = np.arange(4 * 3).reshape(4, 3, 1, 1, 1) * np.ones((1, 1, 1, 8, 8))
    seen = game.some(Tensor(backend.asarray(clips.astype(np.float32))))
    assert seen.shape == (4, game.frames, 1, 8, 8)
    numbers = np.array(seen.numpy())[:, :, 0, 0, 0].astype(int)
    np.testing.assert_array_equal(numbers // 3, np.arange(4)[:, None].repeat(game.frames, 1))
    drawn = {int(n) % 3 for _ in range(20) for n in np.array(game.some(Tensor(backend.asarray(clips))).numpy()).ravel()}
    assert drawn == {0, 1, 2}
    game.augment = (lambda images, rng, step: images * 0,)
    assert not np.array(game.some(Tensor(backend.asarray(clips))).numpy()).any()  # it is shown what D gets to see


def test_the_judge_of_frames_tells_whether_they_show_the_same_thing(rng):
    judge = trainer().game.image
    seen = []
    judge.body.end = nn.Sequential(Spy(seen), judge.body.end)
    judge.eval()
    one, other = rng.uniform(-1, 1, (2, 1, 1, 1, 8, 8)).astype(np.float32)
    for frames in ([one, one], [one, other], [other, one]):
        judge(Tensor(np.concatenate(frames, axis=1).repeat(4, axis=0)))
    same, different, turned = (x[0] for x in seen)
    assert np.abs(same[256:]).max() < 1e-6 < 1e-4 < np.abs(different[256:]).max()
    np.testing.assert_allclose(different, turned, atol=1e-6)


@pytest.mark.parametrize("objective", ["hinge", "relativistic_average"])
def test_other_objectives(objective, rng):
    for record in trainer(objective=gan.OBJECTIVES[objective]()).steps(batches(2, rng)):
        assert np.isfinite([record.d_loss, record.g_loss, record.d_image_loss, record.g_image_loss]).all()


def test_a_still_generator_raises_an_alarm_of_its_own():
    """Planted: a generator that forgets its motion, so that every frame is the first."""
    one = trainer()
    forward = one.game.generator.forward
    object.__setattr__(one.game.generator, "forward", lambda z: forward(z)[:, [0, 0, 0]])
    health = Health(one.game, one.game.waits())
    records = (record.as_dict() for record in one.steps(batches(100, np.random.default_rng(0))))
    raised = [alarm for record in records for alarm in health.look(record)]
    (alarm,) = [alarm for alarm in raised if alarm.kind == "still"]
    assert alarm.step == 100 and "changed 0 % as much" in alarm.text and alarm.is_bad


@pytest.mark.parametrize(
    "motions, alarms",
    [((0.5, 0.09), 1), ((0.5, 0.12), 0), ((0.05, 0.03), 0), ((0.05, 0.01), 1), ((np.nan, np.nan), 0), ((1.2, 0.8), 0)],
)
def test_what_is_still(motions, alarms):
    """Less than a tenth of the real motion, where there has been more; a young generator moves little."""
    health = Health(gan.NonSaturating())
    plain = {"d_loss": 1.0, "g_loss": 1.0, "d_real": 0.7, "d_fake": 0.4, "spread": 0.8, "g_grad": 1.0}
    raised = [
        alarm.kind
        for step in range(1, 401)
        for alarm in health.look({"step": step, **plain, "motion": motions[step > 200]})
    ]
    assert raised == ["still"] * alarms


def test_motion_is_a_share_of_the_real_ones(rng):
    game = trainer().game
    real = Tensor(rng.standard_normal((4, 3, 1, 8, 8)).astype(np.float32))
    round = gan.Round(real, real * 0.5)
    game.measure(round)
    assert round.told["motion"].item() == pytest.approx(0.5)
    still = gan.Round(Tensor(np.ones((4, 3, 1, 8, 8), np.float32)), real)
    game.measure(still)
    assert np.isnan(still.told["motion"].item())
    one = gan.Round(real[:, :1], real[:, :1])
    game.measure(one)  # without a warning
    assert np.isnan(one.told["motion"].item())


# ---- the commands -------------------------------------------------------------------------------------------------


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def milliseconds(path):
    """How long an animation is: frames that are alike may have become one that is shown longer."""
    with Image.open(path) as opened:
        return sum(frame.info["duration"] for frame in ImageSequence.Iterator(opened))


@pytest.fixture
def folder(tmp_path):
    """Three GIFs of a square that moves."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(3):
        pictures = []
        for time in range(6):
            picture = Image.new("L", (8, 8))
            picture.paste(255, (time, number, time + 3, number + 3))
            pictures.append(picture)
        pictures[0].save(clips / f"{number}.gif", save_all=True, append_images=pictures[1:])
    return clips


def test_from_gifs_to_gifs_and_on_bit_for_bit(folder, tmp_path, capsys):
    settings = ["--model", "mocogan", "--data", folder, "--channels", 1, "--frames", 3, "--batch-size", 2]
    settings += ["--width", 2, "--z-dim", 34, "--quiet"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run("train", *settings, "--steps", 4, "--out", whole) == 0
    assert run("train", *settings, "--steps", 2, "--out", parts) == 0
    assert run("train", *settings, "--steps", 4, "--out", parts, "--resume") == 0
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()
    assert milliseconds(whole / "final.gif") == 300
    assert run("report", whole) == 0 and "data:image/gif" in (whole / "report.html").read_text()
    capsys.readouterr()
    assert run("sample", whole, "-n", 4, "--frames", 5, "--out", tmp_path / "long.gif") == 0
    assert "4 clips in" in capsys.readouterr().out
    assert milliseconds(tmp_path / "long.gif") == 500
    with Image.open(tmp_path / "long.png") as strip:
        assert strip.size == (5 * 10 + 2, 4 * 10 + 2)
    assert run("interpolate", whole, "--rows", 2, "--steps", 3, "--out", tmp_path / "walks.gif") == 0


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["train", "--model", "dcgan", "--frames", "8"], "--frames 8 does nothing"),
        (["train", "--model", "vgan", "--channels", "3", "--data", "mnist"], "are grey"),
        (["train", "--model", "vgan", "--digits", "2", "--data", "FOLDER"], "--digits 2"),
        (["train", "--model", "mocogan", "--data", "FOLDER"], "fewer than the 16"),
        (["train", "--model", "mocogan", "--size", "12"], "cannot move in a field of 12"),
        (["train", "--model", "mocogan", "--diffaugment", "color"], "does nothing"),
    ],
)
def test_what_does_not_fit_is_refused(folder, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run(*(str(folder) if word == "FOLDER" else word for word in arguments)) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_clips_of_one_length_stay_so(folder, tmp_path, capsys):
    out = tmp_path / "run"
    run("train", "--model", "vgan", "--data", folder, "--frames", 3, "--batch-size", 2, "--width", 2, "--steps", 1,
        "--out", out, "--quiet")  # fmt: skip
    assert run("sample", out, "--frames", 5, "--out", tmp_path / "x.gif") == 2
    assert "makes clips of one length" in capsys.readouterr().err


def test_a_picture_of_clips(rng):
    clips = rng.uniform(-1, 1, (5, 16, 1, 8, 8)).astype(np.float32)
    medium = media.Clips({})
    assert medium.picture(clips, 2).shape == (3 * 10 + 2, 2 * (6 * 8 + 2) + 2)
    assert medium.one(clips[0]).shape == (8, 16 * 8)
    np.testing.assert_array_equal(medium.one(clips[0])[:, 8:16], np.rint(clips[0, 1, 0] * 127.5 + 127.5))


def test_moving_digits_are_what_clips_learn_from_by_default():
    opened = gan.MODELS["mocogan"].open_data("mnist")
    assert isinstance(opened, data.MovingDigits) and opened.settings["frames"] == 16
