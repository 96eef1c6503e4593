"""The attribute game from a table to an edited picture: what G is asked, what the losses are, and what it keeps."""

import base64
import csv
import io
import json
import threading

import fake_cupy
import numpy as np
import pytest
from browser import WHY_NOT as WHY_NO_BROWSER
from browser import Browser
from commands import ROOT, contents, python
from PIL import Image

from minigan import InputError, backend, checkpoint, data, gan, nn
from minigan import backend as backends
from minigan.cli import main
from minigan.data.attributes import (
    Category,
    Number,
    asked,
    attributes_from,
    columns_of,
    open_attributes,
    read_table,
)
from minigan.explore.server import Server
from minigan.export import open_subject
from minigan.gan.attributes import cross_entropy
from minigan.gan.models.attribute import Detective
from minigan.gradcheck import check_grad
from minigan.tensor import Tensor
from minigan.translation.editor import WEIGHTS, PhotoEditor, bundled

RNG = np.random.default_rng
HAIR, AGE = Category("hair", ("black", "red", "white")), Number("age", 20, 80, 4)
SMALL = {"width": 3, "d_width": 3}


def examples(count=12, side=8, **settings):
    """Pictures whose upper half has the colour of the hair, and whose lower half is as bright as they are old."""
    rng = RNG(0)
    hair, age = rng.integers(3, size=count), rng.integers(20, 81, count)
    pictures = np.full((count, side, side, 3), 128, np.uint8)
    pictures[:, : side // 2] = np.array([[0, 0, 0], [255, 80, 0], [255, 255, 255]])[hair][:, None, None]
    pictures[:, side // 2 :] = ((age - 20) * 4)[:, None, None, None]
    table = {"hair": [HAIR.values[i] for i in hair], "age": [str(years) for years in age]}
    return data.Attributes(pictures, table, [HAIR, AGE], **settings)


def trainer_of(told=None, place="numpy", dtype=np.float32, **settings):
    told = told or examples()
    networks = gan.build({"model": "attribute", **told.settings, **SMALL}, RNG(0))
    generator, discriminator = (network.to(place, dtype) for network in networks)
    return gan.EDITORS["attribute"].trainer(
        generator, discriminator, attributes=told.attributes, rng=RNG(1), **settings
    )


def batches(count, dtype=np.float32, size=4):
    told = examples()
    return [told.draw(RNG(i).integers(len(told), size=size), RNG(100 + i), np.dtype(dtype)) for i in range(count)]


# ---- attributes as columns -------------------------------------------------------------------------------------------


def test_a_number_is_shared_between_its_neighbours():
    shares = AGE.encode(["20", "30", "79.5", "80"])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(AGE.decode(shares), [20, 30, 79.5, 80])
    assert (shares > 0).sum(axis=1).tolist() == [1, 2, 2, 1]


def test_a_category_comes_back():
    assert HAIR.decode(HAIR.encode(["white", "black"])) == ["white", "black"]


@pytest.mark.parametrize(
    "wanted, message",
    [
        ({"hair": "green"}, "hair=green: choose one of black, red, white"),
        ({"age": "old"}, "age=old: give a number from 20 to 80"),
        ({"age": "90"}, "age=90: the pictures learned from have 20 to 80"),
        ({"nose": "big"}, "nose=big: this model knows hair: black, red, white; age: 20 to 80"),
    ],
)
def test_what_nobody_has_learned_is_refused(wanted, message):
    with pytest.raises(InputError, match=message):
        asked([HAIR, AGE], wanted)


@pytest.mark.parametrize(
    "told, message",
    [
        ([], "there is none"),
        ([{"name": "a"}], "give each a name and its values"),
        ([{"name": "a", "values": ["x"]}], "a has but one value"),
        ([{"name": "a", "low": 3, "high": 3, "knots": 4}], "a has but one value"),
        ([HAIR.as_dict(), HAIR.as_dict()], "names one twice"),
        (3, "give each a name and its values"),
    ],
)
def test_attributes_that_are_none(told, message):
    with pytest.raises(InputError, match=message):
        attributes_from(told)


def test_a_batch_asks_and_keeps_the_rest():
    told = examples(400)
    x, own, wanted, is_asked = told.draw(np.arange(400), RNG(0), np.dtype("float32"))
    assert x.shape == (400, 3, 8, 8) and x.dtype == own.dtype == np.float32 and -1 <= x.min() < x.max() <= 1
    np.testing.assert_array_equal(own, told.own.astype("f"))
    np.testing.assert_array_equal(wanted[is_asked == 0], own[is_asked == 0])
    for part in told.parts:
        np.testing.assert_allclose(wanted[:, part].sum(axis=1), 1, rtol=1e-6)
        assert (np.ptp(is_asked[:, part], axis=1) == 0).all()  # an attribute is asked for as a whole
    asks = np.stack([is_asked[:, part.start] for part in told.parts], axis=1)
    assert asks.any(axis=1).all() and asks.mean() == pytest.approx(0.625, abs=0.05)
    of_hair = wanted[asks[:, 0] > 0][:, told.parts[0]].mean(axis=0)
    np.testing.assert_allclose(of_hair, 1 / 3, atol=0.1)  # each colour as often as the others


def test_what_is_not_known_is_not_asked_for():
    pictures = np.zeros((6, 8, 8, 3), np.uint8)
    table = {"hair": ["red", "", "black", "", "red", "black"], "hat": ["a", "b", "a", "b", "a", "b"]}
    told = data.Attributes(pictures, table)
    _, own, wanted, is_asked = told.draw(np.tile(np.arange(6), 20), RNG(0), np.dtype("float32"))
    unknown = np.tile(~told.known[:, 0], 20)
    assert not own[unknown, :2].any() and not wanted[unknown, :2].any() and not is_asked[unknown, :2].any()
    assert is_asked[~unknown, :2].any()
    young = data.Attributes(pictures, {"age": ["20"] * 5 + [""]}, [AGE]).part(np.array([5]))  # of nobody it is known
    assert not any(told.any() for told in young.draw(np.zeros(3, int), RNG(0), np.dtype("float32"))[1:])


def test_an_attribute_that_the_table_lacks_is_refused():
    with pytest.raises(InputError, match="the table has no column age: it has hair"):
        data.Attributes(np.zeros((2, 8, 8, 3), np.uint8), {"hair": ["red", "black"]}, [AGE])


def test_half_are_mirrored_or_none():
    pictures = np.zeros((8, 8, 8, 3), np.uint8)
    pictures[:, :, 0] = 255
    table = {"hair": ["red", "black"] * 4}
    for flip, share in ((True, 0.5), (False, 1)):
        x = data.Attributes(pictures, table, flip=flip).draw(np.arange(8).repeat(50), RNG(0), np.dtype("float32"))[0]
        assert abs((x[:, 0, 0, 0] > 0).mean() - share) < 0.1
    assert (pictures[:, :, 0] == 255).all()  # the data themselves stay


def test_every_value_is_in_the_fingerprint():
    one, other = examples(), examples()
    assert one.fingerprint() == other.fingerprint()
    other.table["hair"][0] = "red" if other.table["hair"][0] != "red" else "black"
    assert one.fingerprint() != other.fingerprint() != examples(flip=False).fingerprint()


def test_settings_build_the_networks():
    told = examples()
    generator, discriminator = gan.build(
        {"model": "attribute", **json.loads(json.dumps(told.settings)), **SMALL}, RNG(0)
    )
    x = Tensor(np.zeros((2, 3, 8, 8), np.float32))
    ask = Tensor(np.zeros((2, 7), np.float32))
    assert discriminator(x, ask).shape == (2, 1 + 7) and generator(x, ask).shape == (2, 3, 8, 8)


# ---- the game --------------------------------------------------------------------------------------------------------


def test_the_losses_in_numpy():
    weights = {"judge_weight": 2.0, "back_weight": 3.0, "change_weight": 0.5, "coarse_weight": 4.0}
    trainer = trainer_of(dtype=np.float64, penalties=(), doubt_weight=1.5, **weights)
    (batch,) = batches(1, np.float64)
    x, own, wanted, is_asked = batch
    game = trainer.game
    y = game.generator(*map(Tensor, (x, wanted * is_asked, own))).numpy()
    back = game.generator(*map(Tensor, (y, own * is_asked, wanted))).numpy()
    seen = game.generator.see(Tensor(x)).numpy()
    of_x = game.discriminator(Tensor(x), Tensor(own)).numpy()
    of_y = game.discriminator(Tensor(y), Tensor(wanted)).numpy()

    hair, age = columns_of([HAIR, AGE])

    def ce(logits, shares, parts=(hair, age)):
        found = []
        for part in parts:
            exps = np.exp(logits[:, part])
            found.append(-(shares[:, part] * np.log(exps / exps.sum(1, keepdims=True))).sum(1).mean())
        return np.mean(found)

    record = trainer.step(batch)
    assert record.d_loss == pytest.approx((np.log1p(np.exp(-of_x[:, 0])) + np.log1p(np.exp(of_y[:, 0]))).mean())
    assert record.d_judged == pytest.approx(2 * ce(of_x[:, 1:], own))
    assert record.d_doubt == pytest.approx(1.5 * ce(of_y[:, 1:], own))
    assert record.back == pytest.approx(3 * np.abs(back - x).mean())
    assert record.change == pytest.approx(0.5 * np.abs(y - x).mean())
    blocks = (y - x).reshape(len(x), 3, 2, 4, 2, 4).mean(axis=(3, 5))
    assert record.coarse == pytest.approx(4 * np.abs(blocks).mean())
    assert record.changed == pytest.approx((np.abs(y - x).max(axis=1) > 0.1).mean())
    after = game.discriminator(Tensor(y), Tensor(wanted)).numpy()  # G is judged by the D that has just learned
    assert record.g_judged == pytest.approx(2 * ce(after[:, 1:], wanted))
    assert record.g_seen == pytest.approx(ce(seen, own, [age]))


def test_a_number_is_a_direction_gone_as_far_as_is_asked_for():
    told = data.Attributes(examples().pictures, {"age": examples().table["age"]}, [AGE])
    editor = trainer_of(told, dtype=np.float64).game.generator
    x = Tensor(RNG(0).uniform(-1, 1, (1, 3, 8, 8)))

    def changed(own, *wanted):
        ask = AGE.encode(wanted) if wanted else np.zeros((1, 4))
        return editor(x, Tensor(ask), None if own is None else Tensor(AGE.encode([own]))).numpy() - x.numpy()

    assert not changed(44).any() and not changed(None).any()  # nothing is asked for
    assert np.abs(changed(44, 44)).max() < 1e-15 and changed(30, 40).any()
    np.testing.assert_allclose(changed(30, 50), 2 * changed(40, 50))
    np.testing.assert_allclose(changed(60, 50), -changed(40, 50))
    np.testing.assert_allclose(changed(40, 80), 4 * changed(40, 50))
    exps = np.exp(editor.see(x).numpy())
    np.testing.assert_allclose(changed(None, 50), changed(AGE.decode(exps / exps.sum())[0], 50))


def test_a_number_stays_where_a_category_is_asked_for():
    editor = trainer_of(dtype=np.float64).game.generator
    x, own = (
        Tensor(RNG(0).uniform(-1, 1, (1, 3, 8, 8))),
        Tensor(np.concatenate([HAIR.encode(["red"]), AGE.encode([44])], 1)),
    )
    hair, both = (
        editor(x, Tensor(asked([HAIR, AGE], {"hair": "white"} | more)[None]), own).numpy()
        for more in ({}, {"age": "44"})
    )
    np.testing.assert_allclose(hair, both, atol=1e-14)
    assert (hair != x.numpy()).any()


def test_cross_entropy_is_its_gradient():
    logits, shares = (
        RNG(0).standard_normal((3, 7)),
        np.concatenate([HAIR.encode(["red"] * 3), AGE.encode([20, 33, 70])], 1),
    )
    parts = columns_of([HAIR, AGE])
    check_grad(lambda one: cross_entropy(one, Tensor(shares), parts), Tensor(logits))


def test_the_projection_can_be_differentiated_twice(rng):
    """As the penalty does."""
    told, weight = Tensor(np.eye(2)[[0, 1, 1]]), rng.standard_normal((2, 4))
    detective = Detective(nn.Sequential(nn.Flatten(), nn.Tanh()), 4, 2, rng).to(dtype=np.float64)
    detective.match.weight.assign(weight)
    check_grad(lambda x: detective(x, told), Tensor(rng.standard_normal((3, 1, 2, 2))), order=2)


def test_the_detective_is_told(rng):
    discriminator = trainer_of().game.discriminator
    x = Tensor(rng.uniform(-1, 1, (2, 3, 8, 8)).astype(np.float32))
    one, other = (discriminator(x, Tensor(np.eye(7, dtype=np.float32)[[k, k]])).numpy() for k in (0, 5))
    assert not np.allclose(one[:, 0], other[:, 0])
    np.testing.assert_array_equal(one[:, 1:], other[:, 1:])  # what it sees itself is not told


@pytest.mark.parametrize("name", ["judge_weight", "back_weight", "change_weight", "coarse_weight", "doubt_weight"])
@pytest.mark.parametrize("value", [-1, np.inf, np.nan])
def test_a_weight_that_is_none(name, value):
    with pytest.raises(InputError, match=name):
        trainer_of(**{name: value})


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": gan.Hinge()},
        {"objective": gan.RelativisticAverage()},
        {"objective": gan.Wasserstein(), "penalties": [gan.GradientPenalty()], "n_critic": 2},
        {"augment": [gan.DiffAugment("translation")]},
    ],
)
def test_any_objective_plays_it(settings):
    records = [record.values for record in trainer_of(**settings).steps(batches(2))]
    assert all(
        np.isfinite(records[-1][name]) for name in ("d_loss", "d_judged", "g_loss", "g_judged", "back", "change")
    )


def test_it_learns_to_change_what_it_is_asked_to():
    pictures, table = examples(64).pictures, {"hair": examples(64).table["hair"]}
    told = data.Attributes(pictures, table, [HAIR])
    networks = gan.build({"model": "attribute", **told.settings, "width": 6, "d_width": 6}, RNG(0))
    trainer = gan.EDITORS["attribute"].trainer(
        *networks, attributes=[HAIR], rng=RNG(1), judge_weight=3.0, back_weight=1.0, g_lr=5e-3, d_lr=3e-3
    )
    rng = RNG(3)
    for _ in range(60):
        trainer.step(told.draw(rng.integers(64, size=8), rng, np.dtype("float32")))
    x = told.pictures.transpose(0, 3, 1, 2) / np.float32(127.5) - 1
    made = gan.edit(networks[0], x, np.repeat(asked([HAIR], {"hair": "white"})[None], 64, axis=0))
    is_black = told.own[:, 0] == 1
    upper, lower = (np.abs(made - x)[is_black][:, :, part].mean() for part in (slice(0, 3), slice(5, 8)))
    assert made[is_black][:, :, :3].mean() > 0 > x[is_black][:, :, :3].mean()  # towards white
    assert lower < 0.5 * upper


def test_resumed_it_goes_on_bit_for_bit():
    whole, first, second = trainer_of(ema=0.9), trainer_of(ema=0.9), trainer_of(ema=0.9)
    records = [record.as_dict() for record in whole.steps(batches(6))]
    list(first.steps(batches(6)[:3]))
    second.load(first.arrays(), json.loads(json.dumps(first.facts())))
    assert repr([record.as_dict() for record in second.steps(batches(6)[3:])]) == repr(records[3:])
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(second.arrays()[name], array, err_msg=name)


WHY_NOT = backends.available()["cupy"]


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_captured_is_eager():
    made = []
    for capture in (True, False):
        trainer = trainer_of(place="cupy", capture=capture, penalties=[gan.R1(every=2)])
        place = backend.get("cupy")
        on_device = [tuple(map(place.asarray, batch)) for batch in batches(4, size=2)]
        made.append((trainer, [record.as_dict() for record in trainer.steps(on_device)]))
    (captured, one), (_, other) = made
    assert captured.capture_reason == "" and repr(one) == repr(other)
    if fake_cupy.installed:
        assert captured.capture._replays


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 5), (33, 18)])
def test_any_size(size):
    made = gan.edit(trainer_of().game.generator, np.zeros((1, 3, *size), np.float32), np.zeros((1, 7)))
    assert made.shape == (1, 3, *size)


@pytest.mark.parametrize("ask", [np.zeros(7), np.zeros((3, 7)), np.zeros((2, 8))])
def test_edit_wants_a_row_for_each_picture(ask):
    with pytest.raises(InputError, match=r"dit(or)?: ask is"):
        gan.edit(trainer_of().game.generator, np.zeros((2, 3, 8, 8), np.float32), ask)


# ---- tables ----------------------------------------------------------------------------------------------------------


def write_folder(folder, count=12, side=8):
    """A folder of pictures, one of them in a folder of its own, and their table."""
    told = examples(count, side)
    (folder / "faces" / "more").mkdir(parents=True)
    lines = [["photo", "hair", "age", "notes"]]
    for i, picture in enumerate(told.pictures):
        name = f"more/{i}.png" if i == 3 else f"{i}.png"
        Image.fromarray(picture).save(folder / "faces" / name)
        lines.append([name, told.table["hair"][i], told.table["age"][i], f"all that is odd about number {i}" * (i % 2)])
    with open(folder / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder / "faces", folder / "table.csv"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("attributes"), 40)


def test_a_folder_and_its_table(files):
    told = open_attributes(*files, size=8)
    assert len(told) == 40 and told.root == str(files[0])
    assert [attribute.name for attribute in told.attributes] == ["hair", "age", "notes"]
    assert isinstance(told.attributes[1], Number)
    narrow = open_attributes(*files, size=4, names=["age"])
    assert narrow.pictures.shape == (40, 4, 4, 3) and len(narrow.attributes) == 1
    bright = narrow.pictures[:, 3].mean(axis=(1, 2)).astype(int)
    np.testing.assert_allclose(bright, [(int(years) - 20) * 4 for years in narrow.table["age"]], atol=9)


def test_names_without_suffix_and_tabs(files, tmp_path):
    rows = read_table(files[1])
    lines = ["who\thair"] + [f"{row['photo'].removesuffix('.png')}\t{row['hair']}" for row in rows[:-1]]
    (tmp_path / "t.tsv").write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match="1 of 40 pictures are left out"):
        told = open_attributes(files[0], tmp_path / "t.tsv", size=8)
    assert told.table["hair"] == [row["hair"] for row in rows[:-1]]


def test_a_size_of_nothing_is_refused(files):
    with pytest.raises(InputError, match="size = 0 must be"):
        open_attributes(*files, size=0)


def test_a_value_of_several_lines_is_one(tmp_path):
    (tmp_path / "t.csv").write_text('photo,hair\n0.png,"red,\nlong"\n1.png,a\x85b\n', "utf-8")
    assert [row["hair"] for row in read_table(tmp_path / "t.csv")] == ["red,\nlong", "a\x85b"]


def test_a_sheet_goes_by_its_lines():
    heads = ROOT / "examples" / "data" / "avatars"
    told = open_attributes(heads / "avatars.png", heads / "attributes.tsv")
    assert len(told) == 850 and [one.columns for one in told.attributes] == [4, 3, 2, 2]
    drawn_of = read_table(heads / "avatars.tsv")
    for i, row in enumerate(drawn_of):  # the table is what the heads are drawn of, in words
        assert (told.table["glasses"][i] == "yes") == (row["eyes"] == "glasses")
        assert (told.table["facial_hair"][i] == "no") == (row["facialHair"] == "none")
    for name, column in (("hair_color", "hairColor"), ("skin", "skinColor")):
        found = {(row[column], text) for row, text in zip(drawn_of, told.table[name], strict=True) if text}
        assert len(found) == len({row[column] for row in drawn_of})  # one word for a colour


TABLES = {
    "no file": (None, "there is no such file; name a table"),
    "no line": ("photo,hair\n", "has no line below the names of the columns"),
    "a name twice": ("photo,photo\n0.png,red\n", "need a name each, and different ones"),
    "a short line": ("photo,hair\n\n0.png\n", "line 3 has 1 values for 2 columns"),
    "an open quote": (f'photo,hair\n0.png,"{"x" * 2**18}', "line 2: field larger than field limit"),
    "no picture's name": ("photo,hair\nx,red\ny,black\n", "no column names the pictures of"),
    "a picture too many": ("photo,hair\n0.png,red\nx.png,black\n", "line 3: .* has no picture x.png"),
    "a picture twice": ("photo,hair\n0.png,red\n0.png,black\n", "the column photo names a picture twice"),
    "one value": ("photo,hair\n0.png,red\n1.png,red\n", "no column has numbers, or at most 24 different values"),
}


@pytest.mark.parametrize("text, message", TABLES.values(), ids=TABLES)
def test_a_table_that_is_none(text, message, files, tmp_path):
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        open_attributes(files[0], tmp_path / "t.csv", size=8)


@pytest.mark.parametrize(
    "names, message",
    [
        (["nose"], "has no column 'nose': choose of photo, hair"),
        (["photo"], "the column photo has 40 different values, at most 24"),
    ],
)
def test_columns_that_cannot_be_learned(names, message, files):
    with pytest.raises(InputError, match=message):
        open_attributes(*files, size=8, names=names)


# ---- the commands ----------------------------------------------------------------------------------------------------


def run(*argv):
    return main([*map(str, argv)])


def train(files, out, *more):
    little = ["--size", 8, "--width", 3, "--batch-size", 4, "--threads", 1, "--quiet", "--attributes", "hair,age"]
    return run("train", "--model", "attribute", "--data", files[0], "--table", files[1], "--out", out, *little, *more)


@pytest.fixture(scope="module")
def model(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    assert train(files, out, "--steps", 3) == 0
    return out


def test_a_run_leaves_an_editor(model, files):
    architecture, _ = checkpoint.read_model(model / "model.safetensors")
    assert [one.name for one in attributes_from(architecture["attributes"])] == ["hair", "age"]
    last = json.loads((model / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"d_loss", "d_judged", "g_loss", "g_judged", "back", "change", "changed", "penalty"} <= last.keys()
    with Image.open(model / "edits.png") as picture:
        assert picture.size == (7 * 10 + 2, 6 * 10 + 2)  # as it is, three colours, three ages


@pytest.mark.skipif(bool(WHY_NO_BROWSER), reason=WHY_NO_BROWSER)
def test_the_explorer_changes_one_thing(model, tmp_path):
    pixels = RNG(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    editor = PhotoEditor.load(model / "model.safetensors", backend.get("numpy"))
    hair, age = editor.attributes
    with Browser() as browser, Server(open_subject(model / "model.safetensors")) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        sent = base64.b64encode((tmp_path / "in.png").read_bytes()).decode()
        for wanted in ({}, {"hair": hair.values[1]}, {"age": f"{age.low:g}"}):
            made = server.explorer.translate({"picture": sent, "set": wanted})
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(made))), editor(pixels, wanted))
        with pytest.raises(InputError, match="names with their values"):
            server.explorer.translate({"picture": sent, "set": {"age": 3}})
        page = browser.open(server.address)
        page.wait("document.body.dataset.ready")
        assert (
            page.run("[...document.querySelectorAll('#attributes label > span')].map(s => s.textContent).join()")
            == "hair,age"
        )
        page.files("#source", tmp_path / "in.png")
        page.wait("$('after').naturalWidth == 16")
        first = page.run("$('after').src")
        page.run(f"document.querySelector('#attributes select').value = '{hair.values[1]}'")
        page.run("document.querySelector('#attributes select').onchange()")
        page.wait(f"$('after').src != '{first}' && $('working').hidden")
        assert page.run("JSON.stringify(wantedValues())") == json.dumps({"hair": hair.values[1]}, separators=(",", ":"))
        assert page.problems() == []
        server.shutdown()


def test_what_d_is_shown_is_augmented(files, model, tmp_path):
    assert train(files, tmp_path / "run", "--steps", 3, "--diffaugment", "color") == 0
    lines = [(run / "metrics.jsonl").read_text() for run in (model, tmp_path / "run")]
    assert lines[0] != lines[1]


def test_a_run_is_resumed_bit_for_bit(files, tmp_path):
    assert train(files, tmp_path / "whole", "--steps", 3) == 0
    assert train(files, tmp_path / "parts", "--steps", 2) == 0
    assert train(files, tmp_path / "parts", "--steps", 3, "--resume") == 0
    for name in ("metrics.jsonl", "model.safetensors", "edits.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture
def portrait(tmp_path):
    Image.fromarray(RNG(0).integers(0, 255, (20, 30, 3), np.uint8)).save(tmp_path / "portrait.png")
    return tmp_path / "portrait.png"


def test_an_edit_lies_beside_its_picture(model, portrait, capsys):
    before = portrait.read_bytes()
    for name in ("portrait-edit.png", "portrait-edit-2.png"):
        assert run("edit", portrait, "--model", model, "--set", "hair=white,age=70", "--compare") == 0
        made = np.asarray(Image.open(portrait.with_name(name)))
        assert made.shape == (20, 30, 3)
    source = np.asarray(Image.open(portrait))
    np.testing.assert_array_equal(made[:, :5], source[:, :5])  # beside the centre square
    assert (made[:, 5:25] != source[:, 5:25]).any()
    assert portrait.read_bytes() == before and portrait.with_name("portrait-edit-compare.png").is_file()
    assert "portrait-edit.png: 30x20 pixels" in capsys.readouterr().out


def test_at_its_own_size_an_edit_is_the_networks(model):
    editor = PhotoEditor.load(model / "model.safetensors", backend.get("numpy"))
    pixels = RNG(1).integers(0, 255, (8, 8, 3), np.uint8)
    made = gan.edit(editor.network, pixels.transpose(2, 0, 1)[None] / np.float32(127.5) - 1,
                    asked(editor.attributes, {"age": "44"})[None])[0]  # fmt: skip
    expected = np.rint(np.clip((made.transpose(1, 2, 0) + 1) * 127.5, 0, 255))
    assert np.abs(editor(pixels, {"age": "44"}) - expected).max() <= 1
    np.testing.assert_array_equal(editor(pixels, {"age": "44"}).shape, (8, 8, 3))


def test_what_is_transparent_is_seen_as_white(model, tmp_path):
    pixels = RNG(1).integers(100, 150, (8, 8, 3), np.uint8)
    pixels[:4] = 255
    alpha = np.repeat(np.uint8([0, 255]), 4)[:, None].repeat(8, 1)[:, :, None]
    Image.fromarray(pixels).save(tmp_path / "white.png")
    Image.fromarray(np.concatenate([np.where(alpha, pixels, 0), alpha], 2)).save(tmp_path / "clear.png")
    for name in ("white", "clear"):
        assert run("edit", tmp_path / f"{name}.png", "--model", model, "--set", "hair=white") == 0
        assert run("edit", tmp_path / f"{name}.png", "--model", model, "--sweep", "hair") == 0
    edited, clear = (np.asarray(Image.open(tmp_path / f"{name}-edit.png")) for name in ("white", "clear"))
    np.testing.assert_array_equal(clear[4:, :, :3], edited[4:])
    np.testing.assert_array_equal(clear[:, :, 3:], alpha)
    assert (edited[4:] != pixels[4:]).any()
    np.testing.assert_array_equal(*(np.asarray(Image.open(tmp_path / f"{n}-sweep.png")) for n in ("white", "clear")))


@pytest.mark.parametrize("sweep, count", [(["age", 30, 80, 4], 4), (["age"], 6), (["hair"], 3)])
def test_a_sweep_is_a_strip(model, portrait, sweep, count, capsys):
    assert run("edit", portrait, "--model", model, "--sweep", *sweep) == 0
    with Image.open(portrait.with_name("portrait-sweep.png")) as strip:
        assert strip.size == (30 * (count + 1) + 4 * count, 20)
    assert f"{sweep[0]}=" in capsys.readouterr().out


EDITS = {
    "nothing": ([], "what is to change? either --set NAME=VALUE, or --sweep NAME"),
    "both": (["--set", "age=30", "--sweep", "age"], "what is to change? either"),
    "no value": (["--set", "age"], "--set age: write NAME=VALUE, of hair: black, red, white; age: "),
    "twice": (["--set", "age=30,age=40"], "sets age twice"),
    "another colour": (["--set", "hair=green"], "hair=green: choose one of black, red, white"),
    "no such thing": (["--sweep", "nose"], "--sweep nose: this model knows hair"),
    "colours from to": (["--sweep", "hair", "1", "2", "3"], "hair is no number, so give its name alone"),
    "too few words": (["--sweep", "age", "30"], "write --sweep age FROM TO COUNT"),
    "too old": (["--sweep", "age", "30", "300", "4"], "age=120: the pictures learned from have"),
    "a strip compared": (["--sweep", "age", "--compare"], "--compare does nothing beside --sweep"),
    "over the picture": (["--set", "age=30", "--out", "{portrait}"], "would overwrite a PICTURE"),
}


@pytest.mark.parametrize("argv, message", EDITS.values(), ids=EDITS)
def test_an_edit_is_refused_in_a_line(argv, message, model, portrait, capsys):
    before = contents(portrait.parent)
    assert run("edit", portrait, "--model", model, *(word.format(portrait=portrait) for word in argv)) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and contents(portrait.parent) == before


RUNS = {
    "no table": (["--model", "attribute", "--data", "x"], "learns from pictures and what is to be seen in each"),
    "no data": (["--model", "attribute", "--table", "x"], "learns from pictures and what is to be seen in each"),
    "a table for noise": (
        ["--model", "dcgan", "--table", "x"],
        "--table x does nothing with a model that edits",
    ),
    "latents": (["--model", "attribute", "--z-dim", "3"], "--z-dim 3 does nothing with a model"),
    "clusters": (["--model", "attribute", "--clusters", "3"], "--clusters 3 does nothing with a model"),
    "a task": (["--model", "attribute", "--task", "denoise"], "--task denoise does nothing with a model"),
    "a class": (["--model", "attribute", "--class", "cat"], "--class cat: attribute learns from"),
    "an augmentation for pairs": (["--model", "dncnn", "--diffaugment", "color"], "--diffaugment color does nothing"),
}


@pytest.mark.parametrize("argv, message", RUNS.values(), ids=RUNS)
def test_a_run_is_refused_in_a_line(argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("train", *argv, "--quiet") == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("argv, message", [
    (["sample", "{model}"], "turns pictures into pictures, and draws none of noise: minigan edit --model"),
    (
        ["translate", "{portrait}", "--model", "{model}/model.safetensors"],
        "attribute changes one thing in a picture: minigan edit",
    ),
    (["restore", "{portrait}", "--model", "{model}"], "restores no pictures: give one of train --task"),
])  # fmt: skip
def test_other_commands_say_what_it_is_for(argv, message, model, portrait, capsys):
    assert run(*(word.format(model=model, portrait=portrait) for word in argv)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", bundled())
def test_what_is_bundled_is_small_and_says_how_it_was_trained(name):
    path = WEIGHTS / f"{name}.safetensors"
    _, facts = checkpoint.read(path, "model")
    assert path.stat().st_size < 500_000 and facts["trained_by"].startswith("python examples/")


def test_the_bundled_heads_put_on_glasses_and_leave_them_on(tmp_path):
    sheet = Image.open(ROOT / "examples/data/avatars/avatars.png").convert("RGB")
    told = read_table(ROOT / "examples/data/avatars/attributes.tsv")
    changed = {}
    for wears in ("no", "yes"):
        i = next(i for i, row in enumerate(told) if row["glasses"] == wears)
        left, top = i % (sheet.width // 64) * 64, i // (sheet.width // 64) * 64
        sheet.crop((left, top, left + 64, top + 64)).save(tmp_path / f"{wears}.png")
        assert run("edit", tmp_path / f"{wears}.png", "--model", "heads", "--set", "glasses=yes") == 0
        before, after = (np.asarray(Image.open(tmp_path / f"{wears}{end}.png"), int) for end in ("", "-edit"))
        changed[wears] = np.abs(after - before).mean()
    assert changed["no"] > 2 * changed["yes"]


def test_a_model_of_another_kind_edits_nothing(portrait, tmp_path, capsys):
    architecture = {"model": "dncnn", "task": "denoise", "width": 2}
    checkpoint.save_model(tmp_path / "m.safetensors", gan.build(architecture, RNG(0))[0], architecture)
    assert run("edit", portrait, "--model", tmp_path / "m.safetensors", "--set", "age=30") == 2
    assert "dncnn edits no picture: give one of train --model attribute" in capsys.readouterr().err


def test_an_editor_becomes_onnx_for_any_size(model, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    assert run("export", model, "--onnx", tmp_path / "e.onnx") == 0
    session = ort.InferenceSession(tmp_path / "e.onnx", providers=["CPUExecutionProvider"])
    x, ask = RNG(0).uniform(-1, 1, (3, 3, 32, 80)).astype("f"), np.eye(7, dtype="f")[:3]
    expected = gan.edit(PhotoEditor.load(model / "model.safetensors", backend.get("numpy")).network, x, ask)
    np.testing.assert_allclose(session.run(None, {"picture": x, "ask": ask})[0], expected, atol=1e-5)


def test_the_example_runs(tmp_path):
    done = python(ROOT / "examples" / "avatars.py", "--dry-run", "--quiet", "--threads", 1, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("nearest head") == 5
    assert {path.name for path in (tmp_path / "out" / "avatars").iterdir()} == {"model.safetensors", "strips.png"}


def test_the_example_of_ages_runs(files, tmp_path):
    argv = ["--data", files[0], "--table", files[1], "--size", 16, "--dry-run", "--quiet", "--threads", 1]
    done = python(ROOT / "examples" / "ageing.py", *argv, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("judge by") == 2 and "mean difference" in done.stdout
    assert (tmp_path / "out" / "ageing" / "model.safetensors").is_file()
