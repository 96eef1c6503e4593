"""The extractors that are bundled know their data; others are refused with a reason."""

import sys
import types

import numpy as np
import pytest

from minigan import InputError, checkpoint, data
from minigan.metrics import load_extractor
from minigan.metrics.classifier import Classifier


@pytest.fixture(scope="module")
def digits():
    return load_extractor("mnist")


def test_it_names_digits(digits):
    test = data.mnist("test")
    found = digits(test.images[::10])
    assert found.features.shape == (1000, digits.dimensions) and found.features.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-5)
    assert np.mean(found.probabilities.argmax(1) == test.labels[::10]) > 0.985
    assert digits.classes == test.classes


def test_a_picture_is_seen_the_same_in_any_company(digits):
    images = data.mnist("test").images[:6]
    alone = np.concatenate([digits(images[i : i + 1]).features for i in range(6)])
    np.testing.assert_allclose(digits(images, batch_size=4).features, alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(digits(images).features, digits(images / np.float32(127.5) - 1).features)


def test_it_says_which_it_is(digits):
    line = digits.describe()
    assert digits.digest in line and "128 features" in line and "evaluation mode" in line
    assert load_extractor("mnist").digest == digits.digest != load_extractor("animals").digest
    assert "giraffe" in load_extractor("animals").classes
    assert min(digits.accuracy, 0.992) == 0.992


def test_a_file_of_ones_own(tmp_path):
    network = Classifier(np.random.default_rng(0), classes=3, image_size=12, channels=2, width=4)
    facts = {"architecture": {"classes": 3, "image_size": 12, "channels": 2, "width": 4}, "classes": list("abc")}
    path = tmp_path / "own.safetensors"
    checkpoint.save(path, "classifier", network.state_dict(), {**facts, "accuracy": 0.5})
    own = load_extractor(path)
    assert own(np.zeros((2, 2, 12, 12), np.uint8)).probabilities.shape == (2, 3)
    with pytest.raises(
        InputError, match=r"images are \(1, 12, 12\), the own classifier takes \(2, 12, 12\): train one"
    ):
        own(np.zeros((2, 1, 12, 12), np.uint8))
    checkpoint.save(path, "classifier", network.state_dict(), facts)
    with pytest.raises(InputError, match="its facts lack 'accuracy'; train it"):
        load_extractor(path)
    state = network.state_dict()
    del state["head.bias"]
    checkpoint.save(path, "classifier", state, {**facts, "accuracy": 0.5})
    with pytest.raises(InputError, match=r"own.safetensors: the state does not fit this Classifier: missing head.bias"):
        load_extractor(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("minst", "unknown extractor 'minst': choose one of mnist, animals, inception, or a FILE"),
        ("nowhere.safetensors", "nowhere.safetensors: there is no such file; give a classifier file"),
    ],
)
def test_what_is_no_extractor(name, message):
    with pytest.raises(InputError, match=message):
        load_extractor(name)


def test_inception_is_another_packages(monkeypatch):
    monkeypatch.setattr("minigan.metrics.inception.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install torch-fidelity, or pip install pytorch-fid"):
        load_extractor("inception")


@pytest.mark.parametrize("error", [ImportError("No module named 'torchvision'"), OSError("no network")])
def test_inception_that_cannot_be_loaded(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr("minigan.metrics.inception.find_spec", lambda name: name == "pytorch_fid")
    monkeypatch.setattr("minigan.metrics.inception.LOADERS", {"pytorch_fid": fail})
    with pytest.raises(InputError, match=rf"pytorch_fid cannot load Inception \({error}\): install it with all"):
        load_extractor("inception")


def test_inception_is_shown_three_channels_of_bytes(monkeypatch):
    torch = pytest.importorskip("torch", reason="the bridge to Inception is PyTorch's")
    shown = []

    class FeatureExtractorInceptionV3:
        def __init__(self, name, features):
            assert features == ["2048", "logits_unbiased"]

        def eval(self):
            return self

        def __call__(self, images):
            shown.append(images)
            return torch.ones(len(images), 2048), torch.zeros(len(images), 1008)

    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = FeatureExtractorInceptionV3
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("minigan.metrics.inception.find_spec", lambda name: name == "torch_fidelity")
    inception = load_extractor("inception")
    found = inception(np.full((3, 1, 8, 8), 0.0, np.float32), batch_size=2)
    assert [tuple(images.shape) for images in shown] == [(2, 3, 8, 8), (1, 3, 8, 8)]
    assert shown[0].dtype == torch.uint8 and (shown[0] == 128).all()
    assert found.features.shape == (3, inception.dimensions) and np.allclose(found.probabilities, 1 / 1008)
    assert inception.describe().startswith("Inception-v3 of torch-fidelity, 2048 features")
