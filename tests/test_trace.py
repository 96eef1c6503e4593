"""The trace: every op once, in the right pass and layer, with the right counts; and nothing of it when it is off."""

import threading
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import minigan
from minigan import InputError, cli, gan, grad, nn, ops
from minigan import tensor as engine
from minigan.ops.flops import count_flops
from minigan.study.tracing import Peak, flame, trace
from minigan.table import Table
from minigan.tensor import Tensor


def ops_of(t, order=0):
    return [e.op for e in t.events if e.order == order]


def words(drawing):
    """Every word that an SVG shows; it must be well-formed for that."""
    return [element.text for element in ET.fromstring(str(drawing)).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture
def cube(tensor):
    """x^3 differentiated twice."""
    x = tensor([1.0, 2.0], requires_grad=True, name="x")
    with trace() as t:
        (dx,) = grad(x**3, [x], tensor([1.0, 1.0]), create_graph=True)
        (d2x,) = grad(dx, [x], tensor([1.0, 1.0]))
    np.testing.assert_allclose(d2x.numpy(), [6.0, 12.0])
    return t


# ---- what is recorded -----------------------------------------------------------------------------------------------


def test_passes_are_told_apart(cube):
    assert ops_of(cube, 0) == ["Pow"]
    assert sorted(ops_of(cube, 1)) == ["BroadcastTo", "Mul", "Mul", "Pow"]  # g * (x^2 * 3)
    assert {e.pass_name for e in cube.events if e.order == 2} == {"double backward"}
    assert all(e.root is cube.events[0] for e in cube.events)
    assert {e.owner.order for e in cube.events if e.order == 2} <= {0, 1}


def test_one_convolution(backend):
    """x (2, 3, 8, 8) * w (5, 3, 4, 4), stride 2, padding 1 -> (2, 5, 4, 4): 160 outputs of 48 multiply-adds."""
    rng = np.random.default_rng(0)
    x, w = (
        Tensor(backend.asarray(rng.standard_normal(s).astype(np.float32)), requires_grad=True)
        for s in ((2, 3, 8, 8), (5, 3, 4, 4))
    )
    g = Tensor(backend.asarray(np.full((2, 5, 4, 4), 0.5, np.float32)))
    with trace() as t:
        y = ops.conv2d(x, w, stride=2, padding=1)
        dx, dw = grad(y, [x, w], g)
    assert [(e.op, e.order) for e in t.events] == [("Conv2d", 0), ("Conv2dInput", 1), ("Conv2dWeight", 1)]
    forward, of_x, of_w = t.events
    assert [e.flops for e in t.events] == [2 * 160 * 48] * 3
    assert forward.inputs == (x.shape, w.shape) and forward.shape == y.shape and forward.dtype == "float32"
    assert (forward.bytes, of_x.bytes, of_w.bytes) == (160 * 4, x.size * 4, w.size * 4)
    assert forward.grad_norm == pytest.approx(np.sqrt(160) * 0.5)
    assert of_x.grad_norm == pytest.approx(np.linalg.norm(dx.numpy()), rel=1e-5)
    assert of_w.grad_norm == pytest.approx(np.linalg.norm(dw.numpy()), rel=1e-5)
    assert of_x.owner is forward and all(e.seconds > 0 for e in t.events)
    assert [s.shape for s in forward.sources] == [x.shape, w.shape]


@pytest.mark.parametrize(
    ("op", "inputs", "output", "flops"),
    [
        ("MatMul", ((2, 3), (3, 4)), (2, 4), 2 * 2 * 3 * 4),
        ("MatMul", ((7, 2, 3), (7, 3, 4)), (7, 2, 4), 7 * 2 * 2 * 3 * 4),
        ("Linear", ((2, 3), (4, 3)), (2, 4), 2 * 2 * 3 * 4),
        ("Linear", ((2, 3), (4, 3), (4,)), (2, 4), 2 * 2 * 3 * 4 + 2 * 4),
        ("Conv2dInput", ((1, 3, 2, 2), (3, 2, 4, 4)), (1, 2, 4, 4), 2 * 12 * 32),
        ("Conv2dWeight", ((1, 2, 4, 4), (1, 3, 2, 2)), (3, 2, 4, 4), 2 * 12 * 32),
        ("Add", ((5,), (5,)), (5,), 5),
        ("Sum", ((4, 5),), (), 20),
        ("Reshape", ((4, 5),), (20,), 0),
        ("something new", ((3,),), (3,), 3),
    ],
)
def test_flops_by_hand(op, inputs, output, flops):
    assert count_flops(op, inputs, output) == flops


def test_every_rule_is_of_an_op():
    from minigan.ops.flops import RULES
    from minigan.study.gradcheck_table import op_classes

    assert {name.removesuffix(".vjp") for name in RULES} <= {c.__name__ for c in op_classes()}


def test_views_take_no_memory(tensor):
    x = tensor(np.zeros((2, 3)))
    with trace() as t:
        x.T, x.reshape(6), x.T.reshape(6), x * 2
    by_name = {}
    for e in t.events:
        by_name.setdefault(e.op, []).append(e.bytes)
    assert by_name["Transpose"] == [0, 0] and by_name["Reshape"] == [0, 48]  # the last one has to copy
    assert by_name["Mul"] == [48] and by_name["BroadcastTo"] == [0]


def test_a_fused_backward_is_one_event(tensor, rng):
    x = tensor(rng.standard_normal((4, 2, 3, 3)), requires_grad=True)
    weight, bias = tensor(np.ones(2), requires_grad=True), tensor(np.zeros(2), requires_grad=True)
    with trace() as t:
        y = ops.batch_norm(x, weight, bias)
        gradients = grad(y, [x, weight, bias], tensor(rng.standard_normal(y.shape)))
    assert ops_of(t, 1) == ["BatchNorm.vjp"]
    assert t.events[-1].bytes == sum(g.data.nbytes for g in gradients)
    with trace() as t:  # recorded, it is composed of ops
        y = ops.batch_norm(x, weight, bias)
        grad(y, [x], tensor(np.ones(y.shape)), create_graph=True)
    assert "BatchNorm.vjp" not in ops_of(t, 1) and len(ops_of(t, 1)) > 10
    assert all(e.root is t.events[0] for e in t.events)


def test_a_graph_from_before(tensor):
    x = tensor([2.0], requires_grad=True)
    y = ops.exp(x) * x
    with trace() as t:
        y.sum().backward()
    assert ops_of(t) == ["Sum"] and len(ops_of(t, 1)) >= 4


def test_layers_by_name(rng):
    network = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.Tanh(), nn.Sequential(nn.Linear(4, 1, rng=rng)))
    x = Tensor(rng.standard_normal((2, 3)).astype(np.float32))
    for given, name in (({}, "Sequential"), ({"D": network}, "D")):
        with trace(**given) as t:
            grad(network(x).sum() * 2, network.parameters())
        layers = {e.op: e.layer for e in t.events if e.order == 0}
        assert layers == {"Linear": f"{name}.2.0", "Tanh": f"{name}.1", "Sum": "", "Mul": ""}
        assert {e.layer for e in t.events if e.order == 1} == {f"{name}.0", f"{name}.1", f"{name}.2.0", ""}


# ---- on and off -----------------------------------------------------------------------------------------------------


def test_off_leaves_no_trace(tensor, rng):
    values = rng.standard_normal((3, 4))

    def gradients():
        x = tensor(values, requires_grad=True)
        (dx,) = grad((ops.tanh(x) * x).sum(), [x], create_graph=True)
        return [t.numpy().tobytes() for t in (dx, *grad((dx * dx).sum(), [x]))]

    before = gradients()
    with trace() as t:
        during = gradients()
    count = len(t.events)
    assert engine.tracer() is None and count > 10
    assert before == during == gradients()
    assert len(t.events) == count


@pytest.mark.parametrize("where", ["forward", "vjp", "user"])
def test_an_error_restores_everything(where, monkeypatch):
    x = Tensor([1.0], requires_grad=True)

    def fail(*_):
        raise RuntimeError("broken")

    if where != "user":
        monkeypatch.setattr(ops.elementwise.Exp, where, fail)
    with pytest.raises(RuntimeError, match="broken"), trace() as t:
        (ops.exp(x) * x).backward()
        fail()
    assert engine.tracer() is None
    assert (t._order, t._owner, t._layers) == (0, None, [])
    assert engine.is_recording()


def test_the_inner_trace_sees_what_is_inside():
    x = Tensor([1.0])
    with trace() as outer:
        ops.exp(x)
        with trace() as inner:
            ops.tanh(x)
        ops.sqrt(x)
    assert (ops_of(outer), ops_of(inner)) == (["Exp", "Sqrt"], ["Tanh"])


def test_other_threads_are_not_watched():
    seen = []

    def work():
        seen.append(engine.tracer())
        ops.tanh(Tensor([1.0]))

    with trace() as t:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        ops.exp(Tensor([1.0]))
    assert seen == [None] and ops_of(t) == ["Exp"]


def test_no_array_is_kept_alive():
    import gc
    import weakref

    x = Tensor(np.ones(3), requires_grad=True)
    with trace() as t:
        y = ops.exp(x)
        alive = weakref.ref(y)
        del y
    gc.collect()
    assert alive() is None and len(t.events) == 1


# ---- showing --------------------------------------------------------------------------------------------------------


def test_table(cube):
    shown = str(cube.table())
    assert shown.splitlines()[0].split()[:4] == ["#", "pass", "layer", "op"]
    assert len(cube.table().rows) == len(cube.events)
    assert "double backward" in shown and "Pow 3" in shown and shown.endswith(str(cube))
    slowest = [e.seconds for e in sorted(cube.events, key=lambda e: -e.seconds)]
    assert [float(row[9]) for row in cube.table("time").rows] == [float(f"{s * 1e3:.3f}") for s in slowest]
    assert len(cube.table("flops", limit=2).rows) == 2
    assert "<td>Pow&nbsp;3</td>" in cube.table()._repr_html_()
    with pytest.raises(InputError, match="sort 'size' must be one of order, time"):
        cube.table("size")


def test_an_empty_trace_can_be_shown(tmp_path):
    with trace() as t:
        pass
    assert str(t) == "nothing was traced" and t.table().rows == []
    t.graph(tmp_path / "graph.svg")
    words(flame.draw(t.events, Peak(1.0, 1.0)))


def test_the_drawing_has_every_op_and_leaf(cube, tmp_path):
    drawing = cube.graph(tmp_path / "cube.svg")
    assert (tmp_path / "cube.svg").read_text() == str(drawing) == drawing._repr_svg_()
    shown = words(drawing)
    assert "x (2)" in shown
    for e in cube.events:
        assert any(word and word.startswith(e.op) for word in shown)
    boxes = [e for e in ET.fromstring(str(drawing)).iter() if e.get("rx") == "5"]
    assert len(boxes) == len(cube.events)
    assert len({box.get("stroke") for box in boxes}) == 3  # forward, backward, double backward


def test_boxes_do_not_overlap():
    t = step("wgan_gp")
    assert {e.order for e in t.events} == {0, 1, 2}
    boxes = [e for e in ET.fromstring(str(t.graph())).iter() if e.get("rx") == "5"]
    corners = np.array([[float(b.get(k)) for k in ("x", "y", "width", "height")] for b in boxes])
    assert len(corners) == len(t.events)
    apart = np.abs(corners[:, None, :2] - corners[None, :, :2]) >= corners[0, 2:]
    np.fill_diagonal(apart[:, :, 0], True)
    assert apart.any(-1).all()


def test_flame_shares_add_up(cube):
    drawing = flame.draw(cube.events, Peak(100.0, 10.0))
    assert any("100 GFLOP/s in a float32 matrix product, 10 GB/s" in word for word in words(drawing) if word)
    storey = [e for e in ET.fromstring(str(drawing)).iter() if e.get("y") == "30.0" and e.get("height") == "26.0"]
    assert len(storey) == 3
    assert sum(float(e.get("width")) + 0.6 for e in storey) == pytest.approx(1100, abs=1)


def test_peak_is_measured(monkeypatch):
    from minigan.study.tracing import peak

    monkeypatch.setattr(peak, "SIZE", 32)
    monkeypatch.setattr(peak, "COPIED", 2**12)
    found = peak.measure_peak.__wrapped__("numpy")
    assert found.gflops_per_second > 0 and found.gbytes_per_second > 0


def test_columns_of_numbers_stand_right():
    lines = repr(Table(("a", "n"), [("x", "1"), ("yy", "1,000")])).splitlines()
    assert lines == ["a       n", "x       1", "yy  1,000"]


# ---- a training step ------------------------------------------------------------------------------------------------


def step(model, which="d"):
    from minigan.commands.trace import trace_step

    rng = np.random.default_rng(0)
    g, d = gan.build({"model": model, "width": 4, "z_dim": 6}, rng)
    trainer = gan.MODELS[model].trainer(g, d, z_dim=6, rng=rng, n_critic=1)
    return trace_step(trainer, which, Tensor(rng.uniform(-1, 1, (4, 1, 28, 28)).astype(np.float32)))


def test_the_d_step_never_touches_g():
    t = step("dcgan", "d")
    assert {e.layer.split(".")[0] for e in t.events} == {"D", ""}
    assert ops_of(t).count("Conv2d") == 2 and ops_of(t, 1).count("Conv2dWeight") == 2  # real and fake at once
    assert ops_of(t, 1).count("Conv2dInput") == 1  # none for the images


def test_the_g_step_computes_no_weight_gradient_of_d():
    t = step("dcgan", "g")
    assert {e.layer.split(".")[0] for e in t.events} == {"G", "D", ""}
    weights = [e.layer[0] for e in t.events if e.op == "Conv2dWeight"]
    assert weights == ["G", "G"]


@pytest.mark.parametrize("which", ["d", "g"])
def test_command(tmp_path, capsys, monkeypatch, which):
    monkeypatch.setattr("minigan.study.tracing.peak.SIZE", 32)
    monkeypatch.setattr("minigan.study.tracing.peak.COPIED", 2**12)
    argv = ["trace", "--step", which, "--batch-size", "4", "--width", "4", "--sort", "time", "--limit", "3"]
    assert cli.main([*argv, "--out", str(tmp_path / "new")]) == 0
    shown = capsys.readouterr().out
    assert "GFLOP/s" in shown and f"dcgan-{which}-graph.svg" in shown
    for name in ("graph", "flame"):
        ET.parse(tmp_path / "new" / f"dcgan-{which}-{name}.svg")
    assert "Conv2dWeight" in (tmp_path / "new" / f"dcgan-{which}.txt").read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model", "nope"], "unknown model 'nope': choose one of gan, dcgan"),
        (["--model", "nope"], "self_conditioned\n"),
        (["--batch-size", "1"], "--batch-size 1: batch norm needs at least 2 images"),
        (["--batch-size", "4", "--width", "4", "--sort", "x"], "table: sort 'x' must be one of"),
        (["--out", "file/below"], "cannot write to the output folder file/below"),
        (["--backend", "abacus"], "unknown backend 'abacus'"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, capsys, argv, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert cli.main(["trace", *argv]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and message in shown


def test_it_is_exported():
    assert minigan.trace is trace
