"""Model files: what goes in comes out, anyone can read them, and what is none is refused with a reason."""

import json
import struct

import numpy as np
import pytest

from minigan import InputError, checkpoint, gan, nn
from minigan.checkpoint import VERSION, read_model, save_model

ARCHITECTURE = {"model": "dcgan", "image_size": 28, "channels": 1, "z_dim": 6, "width": 4}


def build(seed=0):
    return gan.build(ARCHITECTURE, np.random.default_rng(seed))[0]


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, build(), ARCHITECTURE)
    return path


def test_a_generator_comes_back(model_file):
    architecture, state = read_model(str(model_file))
    assert architecture == ARCHITECTURE
    generator, _ = gan.build(architecture, np.random.default_rng(99))
    generator.load_state_dict(state)
    z = np.random.default_rng(1).standard_normal((2, 6))
    np.testing.assert_array_equal(gan.generate(generator, z), gan.generate(build(), z))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_array_is_kept_to_the_bit(tmp_path, backend, dtype):
    model = nn.Sequential(nn.Conv2d(3, 2, (4, 3)), nn.BatchNorm2d(2), nn.Linear(3, 2)).to(backend, dtype)
    save_model(tmp_path / "m", model, {"model": "mine"})
    _, state = read_model(tmp_path / "m")
    assert set(state) == set(model.state_dict())
    for name, array in model.state_dict().items():
        assert state[name].dtype == array.dtype
        np.testing.assert_array_equal(state[name], array)


def test_numbers_of_another_order_of_bytes_come_back(tmp_path):
    checkpoint.save(tmp_path / "m", "model", {"means": np.arange(3, dtype=">f4")}, {})
    arrays, _ = checkpoint.read(tmp_path / "m", "model")
    np.testing.assert_array_equal(arrays["means"], [0, 1, 2])


def test_saving_leaves_no_other_file_and_the_same_model_gives_the_same_bytes(model_file, tmp_path):
    first = model_file.read_bytes()
    save_model(model_file, build(seed=1), ARCHITECTURE)
    assert model_file.read_bytes() != first
    save_model(model_file, build(), ARCHITECTURE)
    assert model_file.read_bytes() == first
    assert list(tmp_path.iterdir()) == [model_file]


def test_pytorch_users_can_read_it(model_file):
    torch = pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    theirs = torch.nn.Sequential(
        torch.nn.Linear(6, 8 * 49, bias=False), torch.nn.Unflatten(1, (8, 7, 7)), torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(), torch.nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, bias=False), torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(), torch.nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1, bias=False), torch.nn.Tanh(),
    )  # fmt: skip
    theirs.load_state_dict(load_file(model_file), strict=True)
    z = np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32)
    images = theirs.eval()(torch.from_numpy(z)).detach().numpy()
    np.testing.assert_allclose(gan.generate(build(), z), images, atol=1e-5)


# ---- files that are none --------------------------------------------------------------------------------------------


def safetensors(metadata, **arrays):
    """A safetensors file by hand: arrays are (dtype's name, shape, bytes)."""
    header, data = {"__metadata__": metadata} if metadata is not None else {}, b""
    for name, (dtype, shape, content) in arrays.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def ours(**changes):
    """The metadata of a file of minigan's, with changes."""
    return {"minigan": json.dumps({"kind": "model", "version": VERSION, "digest": "", "facts": "{}", **changes})}


WEIGHT = {"w": ("F32", [2], bytes(8))}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable safetensors file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a readable safetensors file"),
        (safetensors(ours(), **WEIGHT)[:-1], "not a readable safetensors file"),
        (safetensors(ours(), **WEIGHT)[:20], "not a readable safetensors file"),
        (safetensors(ours(), **WEIGHT) + b"more", "not a readable safetensors file"),
        (safetensors(ours(), w=("BF16", [2], bytes(4))), "not a readable safetensors file"),  # NumPy has no such dtype
        (safetensors({"minigan": "{"}), "not a readable safetensors file"),
        (safetensors(None, **WEIGHT), "is no file of minigan's, not a model; give a model file that a run wrote"),
        (safetensors({"format": "pt"}, **WEIGHT), "is no file of minigan's"),
        (safetensors({"minigan": "[1]"}, **WEIGHT), "is no file of minigan's"),
        (safetensors(ours(kind="checkpoint"), **WEIGHT), "is a checkpoint, not a model"),
        (safetensors(ours(version=VERSION + 1), **WEIGHT), f"has format version {VERSION + 1}, this minigan reads"),
        (safetensors(ours(), **WEIGHT), "is damaged, its content does not match its digest"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_model(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("architecture", [None, [1], "dcgan"])
def test_a_model_without_an_architecture_is_refused(tmp_path, architecture):
    checkpoint.save(tmp_path / "m", "model", build().state_dict(), {"architecture": architecture})
    with pytest.raises(InputError, match="its metadata holds no architecture; train the model again"):
        read_model(tmp_path / "m")


@pytest.mark.parametrize("where", [0.3, 0.5, 0.999])
def test_one_flipped_bit_in_the_weights_is_noticed(model_file, where):
    content = bytearray(model_file.read_bytes())
    start = 8 + struct.unpack("<Q", content[:8])[0]
    content[start + int(where * (len(content) - start))] ^= 1
    model_file.write_bytes(content)
    with pytest.raises(InputError, match="is damaged, its content does not match its digest"):
        read_model(model_file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="there is no such file; give a model file that a run wrote"):
            read_model(path)
