"""Models taken along: PyTorch, ONNX, the DCGAN of PyTorch's example."""

from pathlib import Path

import numpy as np
import pytest
import small_models
from safetensors.numpy import save_file

from minigan import cli, gan, nn
from minigan.checkpoint import read, save, save_model
from minigan.errors import InputError
from minigan.export import BUNDLED, Subject, find, open_subject, trace
from minigan.export.onnx import Graph, to_onnx
from minigan.export.program import LAYERS, RULES
from minigan.tensor import Tensor


def make_model(path, name="dcgan", **settings):
    architecture: dict = {**small_models.architecture(name), **settings}
    if gan.MODELS[name].clusters:
        architecture["clusters"] = [5, 2, 9]
    generator, _ = gan.build(architecture, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for name, buffer in generator.named_buffers():  # as after some training, with pictures that are not all grey
        if buffer.ndim:
            buffer[...] = rng.uniform(0.5, 1.5, buffer.shape) - ("mean" in name)
    for parameter in generator.parameters():
        if parameter.ndim > 1:
            parameter.assign(rng.standard_normal(parameter.shape) * (2 / np.prod(parameter.shape[1:])) ** 0.5)
    save_model(path, generator, architecture)
    return path


def run(*argv):
    return cli.main([str(arg) for arg in argv])


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_bundled_opens_by_its_name_unless_there_is_a_file_of_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subject = open_subject(find(name))
    given = subject.inputs(1, np.random.default_rng(0))
    assert np.isfinite(subject(*given.values())).all()
    (tmp_path / name).touch()
    assert find(name) == Path(name)


# ---- PyTorch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dcgan", "acgan", "sngan"])
def test_torch_loads_by_the_lines_that_are_printed(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    make_model("model.safetensors", name)
    assert run("export", "model.safetensors", "--torch", "weights.safetensors") == 0
    lines = capsys.readouterr().out
    space = {"__name__": "loader"}
    exec(lines, space)
    subject = open_subject("model.safetensors")
    assert space["image"].shape == (3, 1, 28, 28)
    import torch

    given = subject.inputs(4, np.random.default_rng(5))
    theirs = space["network"](*map(torch.from_numpy, given.values())).detach().numpy()
    np.testing.assert_allclose(theirs, subject(*given.values()), atol=1e-5)


@pytest.mark.parametrize("name", ["mnist", "animals"])
def test_a_classifier_goes_to_torch(name, tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    assert run("export", name, "--torch", "weights.safetensors") == 0
    space = {"__name__": "loader"}
    exec(capsys.readouterr().out, space)
    subject = open_subject(name)
    x = subject.inputs(4, np.random.default_rng(5))["picture"]
    theirs = space["network"](torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(theirs, subject(x), rtol=1e-5, atol=1e-5)


def dcgan_example(torch, size, nz, ngf, nc):
    """The generator as PyTorch's example writes it."""
    layers, wide = [], ngf * size // 8
    layers += [torch.nn.ConvTranspose2d(nz, wide, 4, 1, 0, bias=False), torch.nn.BatchNorm2d(wide), torch.nn.ReLU(True)]
    while wide > ngf:
        layers += [torch.nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False), torch.nn.BatchNorm2d(wide // 2)]
        layers += [torch.nn.ReLU(True)]
        wide //= 2
    layers += [torch.nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), torch.nn.Tanh()]
    network = torch.nn.Module()
    network.main = torch.nn.Sequential(*layers)
    return network


@pytest.mark.parametrize("size", [64, 32])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_pytorchs_dcgan_draws_the_same_pictures_here(size, prefix, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    theirs = dcgan_example(torch, size, nz=7, ngf=4, nc=3)
    theirs.main(torch.randn(16, 7, 1, 1))  # running statistics other than 0 and 1
    theirs.eval()
    save_file({prefix + k: v.numpy() for k, v in theirs.state_dict().items()}, "netG.safetensors")
    assert run("import", "netG.safetensors", "--out", "mine.safetensors") == 0
    z = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    expected = theirs.main(torch.from_numpy(z)[:, :, None, None]).detach().numpy()
    ours = gan.generate(open_subject("mine.safetensors").network, z)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert run("import", "netG.safetensors", "--out", "mine.safetensors") == 2  # nothing is overwritten


def test_halves_are_read_and_what_numpy_lacks_is_named(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    monkeypatch.chdir(tmp_path)
    theirs = dcgan_example(torch, 32, nz=7, ngf=4, nc=1)
    save_file(theirs.half().state_dict(), "netG.safetensors")
    assert run("import", "netG.safetensors", "--out", "half.safetensors") == 0
    save_file(theirs.bfloat16().state_dict(), "netG.safetensors")
    assert run("import", "netG.safetensors", "--out", "other.safetensors") == 2
    assert "holds numbers of type 'BF16': save it as float32" in capsys.readouterr().err


def test_a_pickle_is_refused_with_the_lines_that_convert_it(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    theirs = dcgan_example(torch, 32, nz=7, ngf=4, nc=1)
    for legacy in (False, True):
        torch.save(theirs.state_dict(), "netG.pth", _use_new_zipfile_serialization=not legacy)
        assert run("import", "netG.pth") == 2
        told = capsys.readouterr().err
        assert "is a pickle" in told and not (tmp_path / "netG.safetensors").exists()
    exec("\n".join(line.strip() for line in told.splitlines()[-2:]))
    assert run("import", "netG.safetensors") == 0


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"encoder.0.weight": (2, 2)}, "it has 'encoder.0.weight'"),
        ({"main.0.weight": (4, 3, 4, 4), "main.2.weight": (8, 4, 4, 4)}, "give netG"),
        ({"main.1.weight": (4,)}, "its convolutions are at"),
        ({"main.0.weight": (4, 4, 4, 4), "main.3.bias": (4,)}, "its convolutions are at [0]"),
        ({f"main.{n}.weight": (4, 4, 4, 4) for n in (0, 3, 6, 9)}, "does not fit"),
    ],
)
def test_another_network_is_refused(names, told, tmp_path, capsys):
    save_file({name: np.zeros(shape, np.float32) for name, shape in names.items()}, tmp_path / "x.safetensors")
    assert run("import", tmp_path / "x.safetensors", "--out", tmp_path / "y.safetensors") == 2
    assert told in capsys.readouterr().err and not (tmp_path / "y.safetensors").exists()


def test_a_file_whose_length_looks_like_a_pickle(tmp_path, capsys):
    path = tmp_path / "x.safetensors"
    for padding in range(300):
        save_file({"main.0.weight": np.zeros((1, 1, 1, 1), np.float32)}, path, {"padding": "x" * padding})
        if path.read_bytes()[:1] == b"\x80":
            break
    assert run("import", path) == 2
    assert "its convolutions are at [0]" in capsys.readouterr().err


# ---- ONNX ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", gan.MODELS)
def test_every_model_becomes_onnx(name, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    subject = open_subject(make_model(tmp_path / "model.safetensors", name))
    content, _ = to_onnx(subject)
    assert subject(*subject.inputs(4, np.random.default_rng(9)).values()).std() > 0.1
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    for count in (1, 7):
        given = {
            k: v if v.dtype.kind == "f" else v.astype(np.int64)
            for k, v in subject.inputs(count, np.random.default_rng(9)).items()
        }
        (images,) = session.run(None, given)
        np.testing.assert_allclose(images, subject(*given.values()), atol=1e-5)


@pytest.mark.parametrize("name", [*gan.PAIRED, *gan.UNPAIRED])
def test_every_translator_becomes_onnx_for_any_size(name, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    channels = 4 if name == "context_encoder" else 3
    architecture = {"model": name, "width": 4} | ({"source_channels": channels} if name in gan.PAIRED else {})
    save_model(tmp_path / "m.safetensors", gan.build(architecture, np.random.default_rng(0))[0], architecture)
    subject = open_subject(tmp_path / "m.safetensors")
    content, told = to_onnx(subject)
    assert "pictures of any size" in told
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    for height, width in ((32, 80), (33, 21), (9, 13)):  # some have to be mirrored up to others, as the engine does
        x = np.random.default_rng(0).uniform(-1, 1, (3, channels, height, width)).astype(np.float32)
        np.testing.assert_allclose(session.run(None, {"picture": x})[0], subject(x), atol=1e-5)


@pytest.mark.parametrize("name", ["mnist", "animals"])
def test_a_classifier_becomes_onnx_for_any_size(name, tmp_path, capsys):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    assert run("export", name, "--onnx", tmp_path / "c.onnx") == 0
    assert "pictures of any size" in capsys.readouterr().out
    session = ort.InferenceSession(tmp_path / "c.onnx", providers=["CPUExecutionProvider"])
    subject = open_subject(name)
    x = np.random.default_rng(0).uniform(-1, 1, (2, subject.image_shape[0], 44, 60)).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"picture": x})[0], subject(x), rtol=1e-5, atol=1e-5)


class Every(nn.Module):
    """A network of everything that can be exported and that no model of the zoo has."""

    def __init__(self, rng):
        self.conv = nn.Conv2d(3, 8, 3, padding=1, rng=rng)
        self.head = nn.Linear(8, 4, rng=rng)
        self.layers = nn.Sequential(
            nn.GroupNorm(2, 8), nn.PReLU(8), nn.ELU(0.7), nn.InstanceNorm2d(8, affine=True), nn.GELU(), nn.SiLU(),
            nn.GELU("tanh"), nn.Conv2d(8, 32, 1, rng=rng), nn.PixelShuffle(2), nn.SelfAttention2d(8),
            nn.ReflectionPad2d((1, 2, 0, 1)), nn.Upsample(2, mode="bilinear"), nn.Resize((7, 9)),
            nn.spectral_norm(nn.ConvTranspose2d(8, 8, 3, stride=2, output_padding=1, rng=rng)), nn.Maxout(2),
            nn.PixelUnshuffle(2), nn.Conv2d(16, 8, 1, rng=rng), nn.Sigmoid(), nn.Dropout(0.5),
        )  # fmt: skip
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        from minigan import ops

        h = self.layers(self.conv(x))
        h = (
            ops.avg_pool2d(h, 2, padding=1)
            - ops.abs(h[:, :, ::2, 1:2]).mean()
            + ops.pad(h, [(0, 0)] * 2 + [(1, 0)] * 2).mean()
        )
        h = self.norm(self.head(h.transpose(0, 2, 3, 1)))
        h = ops.softmax(h, 1) + ops.log_softmax(h, 2) * ops.softplus(-h) / (ops.exp(h) + 2)
        return ops.sqrt(ops.log(h * h + 1.5)).max(0) if False else ops.sqrt(ops.log(h * h + 1.5))


class Whole(Subject):
    kind, axes, outputs = "picture", ("picture", "N", "C", "H", "W"), ("image", "N", "a", "b", "c")

    def inputs(self, count, rng, more=0):
        return {"picture": rng.uniform(-1, 1, (count, 3, 6, 8)).astype(np.float32)}


def test_every_layer_becomes_onnx(rng):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    subject = Whole(Every(rng), "every", {})
    to_onnx(subject)
    nodes = {node.op for node in trace(subject.network, subject.inputs(2, rng)).nodes}
    assert {"PReLU", "ELU", "GroupNorm", "PixelShuffle", "Take", "Slice", "Pad", "SumPool", "Softmax", "Erf"} <= nodes
    assert len(RULES) > 25 and len(LAYERS) == 8 and Graph


def test_what_differs_is_not_written(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = make_model(tmp_path / "model.safetensors")
    write = Graph.write
    monkeypatch.setattr(
        Graph,
        "write",
        lambda self, node: (
            write(self, node) if node.op != "Tanh" else self.add("Identity", list(node.inputs), node.output)
        ),
    )
    assert run("export", model, "--onnx", tmp_path / "m.onnx") == 2
    assert "differs by" in capsys.readouterr().err and not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("where", [["export", "--onnx", "m.onnx"], ["export", "--html", "m.html"], ["explore"]])
def test_a_network_that_is_not_finite_is_told(where, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    arrays, facts = read(make_model("m.safetensors"), "model")
    arrays["0.weight"] = arrays["0.weight"] * np.nan
    save("m.safetensors", "model", arrays, facts)
    assert run(where[0], "m.safetensors", *where[1:]) == 2
    told = capsys.readouterr().err
    assert "differs by nan" in told or "not finite" in told
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_what_depends_on_the_input_in_another_way_is_refused(rng):
    class Masked(nn.Module):
        def forward(self, x):
            from minigan import ops

            return ops.elu(x)

    with pytest.raises(InputError, match="ELU cannot be exported"):
        trace(Masked(), {"x": rng.standard_normal((2, 3)).astype(np.float32)})
    with pytest.raises(InputError, match="does not depend on its input"):
        network = nn.Linear(2, 2)
        trace(
            type("Constant", (nn.Module,), {"forward": lambda self, x: Tensor(np.ones(3, np.float32))})(),
            {"x": np.ones((2, 2), np.float32)},
        )
        assert network


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "export to what?"),
        (["--onnx", "model.safetensors"], "would not be a .safetensors file"),
        (["--torch", "model.safetensors"], "would overwrite the model"),
        (["--html", "page.txt"], "would not be a .txt file"),
        (["--torch", "m", "--html", "./m"], "--html ./m would overwrite what --torch writes"),
    ],
)
def test_bad_targets(argv, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = make_model(tmp_path / "model.safetensors").read_bytes()
    assert run("export", "model.safetensors", *argv) == 2
    assert told in capsys.readouterr().err and (tmp_path / "model.safetensors").read_bytes() == before
