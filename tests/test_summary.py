"""What is shown of networks, records and pictures: the right numbers, and nothing is changed by looking."""

import io

import numpy as np
import pytest
from PIL import Image

from minigan import InputError, gan, nn, viz
from minigan import tensor as engine
from minigan.gan.record import Record


def columns(table):
    return {row[0]: row[1:] for row in table.rows}


def test_a_discriminator_by_hand(rng):
    """A 4x4 convolution costs 2 * 16 * in FLOPs for each output; its parameters are 16 * in * out."""
    d = gan.MODELS["dcgan"].networks(rng=rng, width=4)[1]
    rows = columns(nn.summary(d, (1, 28, 28)))
    assert rows["0"] == ("Conv2d", "1x4x14x14", "64", f"{2 * 16 * 4 * 14 * 14:,}")
    assert rows["2"] == ("Conv2d", "1x8x7x7", f"{16 * 4 * 8:,}", f"{2 * 16 * 4 * 8 * 49:,}")
    assert rows["3"][:3] == ("BatchNorm2d", "1x8x7x7", "16")
    assert rows["4"][:3] == ("LeakyReLU", "fused", "0")
    assert rows["6"] == ("Linear", "1x1", "392", f"{2 * 392:,}")


@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "sngan", "gan"])
def test_totals(rng, name):
    for network, shape in zip(gan.MODELS[name].networks(rng=rng, width=8, image_size=28, channels=1), [
        (gan.MODELS[name].z_dim,),
        (1, 28, 28),
    ], strict=True):  # fmt: skip
        table = nn.summary(network, shape)
        total = sum(int(row[3].replace(",", "")) for row in table.rows)
        flops = sum(int(row[4].replace(",", "")) for row in table.rows)
        assert total == sum(p.size for p in network.parameters()) > 0
        assert f"{total:,} parameters, {flops:,} FLOPs" in repr(table)
        assert "not used" not in repr(table)


def test_a_spectrally_normalised_layer_is_one_row(rng):
    layer = nn.spectral_norm(nn.Linear(3, 2, rng=rng), rng=rng)
    table = nn.summary(nn.Sequential(layer, nn.ReLU()), (3,))
    assert [row[:2] for row in table.rows] == [("0", "spectral_norm(Linear)"), ("1", "ReLU")]
    assert table.rows[0][3] == "8"


def test_a_module_at_two_places(rng):
    relu = nn.ReLU()
    table = nn.summary(nn.Sequential(nn.Linear(2, 3, rng=rng), relu, nn.Linear(3, 1, rng=rng), relu), (2,))
    assert table.rows[3][1] == "ReLU (as 1)"


def test_labels_are_handed_on(rng):
    g, _ = gan.MODELS["cgan"].networks(rng=rng, width=4, classes=10, z_dim=6)
    rows = columns(nn.summary(g, (6,), np.array([3])))
    assert rows["embedding"] == ("Embedding", "1x50", "500", "0")


def test_looking_changes_nothing(rng):
    network = gan.MODELS["sngan"].networks(rng=rng, width=4, image_size=28, channels=1)[1]
    network.blocks.eval()
    before = network.state_dict(), [m.training for m in network.modules()]
    nn.summary(network, (1, 28, 28))
    after = network.state_dict(), [m.training for m in network.modules()]
    assert before[1] == after[1] and all((before[0][k] == after[0][k]).all() for k in before[0])
    with pytest.raises(InputError, match="does not have the 1 channels"):
        nn.summary(network, (3, 28, 28))
    assert [m.training for m in network.modules()] == before[1] and engine.tracer() is None


def test_a_module_in_a_notebook(rng):
    html = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.Tanh())._repr_html_()
    assert "<td>16</td>" in html and "Sequential: 16 parameters" in html and "Linear(3,&nbsp;4" in html


def test_a_grid_shows_itself(rng):
    picture = viz.grid(rng.uniform(-1, 1, (4, 3, 5, 5)))
    with Image.open(io.BytesIO(picture._repr_png_())) as image:
        np.testing.assert_array_equal(np.asarray(image), picture)
    assert picture[0, 0]._repr_png_() is None and (picture / 2)._repr_png_() is None
    assert viz.grid(rng.uniform(-1, 1, (4, 1, 5, 5)))._repr_png_()[1:4] == b"PNG"


def test_records_and_models_in_a_line():
    record = Record(3, {"d_loss": 0.69314, "g_loss": 1.5, "d_real": 0.5, "d_grad": 2.0}, 0.1, 640.0)
    assert repr(record) == "Record(step 3: d_loss 0.693, g_loss 1.5, d_real 0.5, d_grad 2, 640 images/s)"
    assert record.g_loss == 1.5
    with pytest.raises(AttributeError, match="a record has no 'l1'; this one has d_loss, g_loss, d_real, d_grad"):
        record.l1  # noqa: B018 (it is to raise)
    assert repr(gan.MODELS["dcgan"]).startswith("Model(dcgan: strided convolutions")
