"""The explorer: directions, search, the server's manners, and every control of its page in a headless Chromium."""

import base64
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from browser import WHY_NOT, Browser
from commands import ENVIRONMENT, ROOT
from PIL import Image
from test_export import Every, Whole, make_model

from minigan import cli, gan, metrics, nn
from minigan.checkpoint import save_model
from minigan.errors import InputError
from minigan.explore import Search, find_directions
from minigan.explore.offline import pack, to_html
from minigan.explore.server import LARGEST_BODY, Explorer, Server, describe
from minigan.explore.translating import PictureTranslator
from minigan.export import open_subject, trace
from minigan.export.subject import Latent
from minigan.restoration import TASKS

needs_browser = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return open_subject(make_model(tmp_path_factory.mktemp("model") / "model.safetensors", "acgan"))


@pytest.fixture(scope="module")
def server(subject):
    with Server(subject) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


# ---- directions and search -----------------------------------------------------------------------


def test_directions_are_those_that_a_linear_generator_stretches_most():
    """G(z) = A z with known singular vectors: both methods must find them, in order."""
    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (16, 5))
    network = nn.Sequential(nn.Linear(5, 16), nn.LeakyReLU(0.99), nn.Reshape(1, 4, 4))
    network[0].weight.assign(u[:, :5] @ np.diag([5.0, 3.0, 1.5, 0.5, 0.1]) @ v.T)
    network[0].bias.assign(0)
    found = find_directions(Latent(network, "linear", {}, z_dim=5), 3)
    assert [d.method for d in found] == ["GANSpace"] * 3 + ["SeFa"] * 3
    for number, direction in enumerate(found):
        assert abs(np.linalg.norm(direction.vector) - 1) < 1e-9
        assert abs(direction.vector @ v[:, number % 3]) > (0.98 if direction.method == "GANSpace" else 1 - 1e-6)
    assert found[3].share == pytest.approx(25 / (25 + 9 + 2.25 + 0.25 + 0.01), rel=1e-4)


def test_what_a_class_looks_like_is_no_direction():
    """G(z, c) = A z + B c, where another class is by far the greater change."""

    class Told(nn.Module):
        def __init__(self):
            self.kinds, self.network = nn.Embedding(4, 16, rng=rng), nn.Linear(5, 16)
            self.end = nn.Sequential(nn.LeakyReLU(0.99), nn.Reshape(1, 4, 4))

        def forward(self, z, labels):
            return self.end(self.network(z) + self.kinds(labels) * 100)

    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (16, 5))
    network = Told()
    network.network.weight.assign(u[:, :5] @ np.diag([5.0, 3.0, 1.5, 0.5, 0.1]) @ v.T)
    found = find_directions(Latent(network, "told", {}, classes=4, z_dim=5), 3)
    for number, direction in enumerate(found[:3]):
        assert abs(direction.vector @ v[:, number]) > 0.95 and direction.method == "GANSpace"


@pytest.mark.parametrize("name", ["self_conditioned", "mocogan", "vgan"])
def test_the_number_that_chooses_a_cluster_is_no_direction(name, tmp_path):
    subject = open_subject(make_model(tmp_path / "m.safetensors", name))
    found = [direction.vector for direction in find_directions(subject, 4)]
    assert len(found) > 4 and all(vector[0] == 0 and vector[1] != 0 for vector in found)


@pytest.mark.parametrize("name", gan.MODELS)
def test_every_model_has_directions(name, tmp_path):
    subject = open_subject(make_model(tmp_path / "m.safetensors", name))
    facts = describe(subject, 4)
    few = {"mocogan": 5}  # whose first layer sees one number of z
    assert len(facts["directions"]) == few.get(name, 8)
    assert all(len(direction["vector"]) == 6 for direction in facts["directions"])
    if gan.MODELS[name].medium == "pictures":
        assert facts["shape"] == [1, 28, 28] and not facts["plays"]
    else:
        assert facts["plays"] and len(facts["shape"]) == 3
    json.dumps(facts, allow_nan=False)


def test_a_picture_of_the_generators_own_is_found(subject):
    z = np.random.default_rng(5).standard_normal((1, 6)).astype(np.float32)
    picture = subject(z, np.array([1]))[0]
    search = Search(subject, picture, 1, total=150)
    heard = [(s.step, s.psnr) for s in search.steps()]
    assert [step for step, _ in heard] == list(range(1, 151))
    assert all(a <= b for (_, a), (_, b) in pairwise(heard))
    found = subject(search.z[None], np.array([1]))[0]
    assert search.psnr > 25 and 10 * np.log10(4 / ((found - picture) ** 2).mean()) == pytest.approx(
        search.psnr, abs=0.01
    )
    assert not any(parameter.grad is not None for parameter in subject.network.parameters())


@pytest.mark.parametrize("picture", [np.zeros((1, 27, 28)), np.full((1, 28, 28), 2.0), np.full((1, 28, 28), np.nan)])
def test_a_picture_that_cannot_be_looked_for(subject, picture):
    with pytest.raises(InputError, match="find: the picture is"):
        Search(subject, picture, 0)


def test_a_classifier_cannot_be_explored(capsys):
    assert cli.main(["explore", "mnist", "--no-open"]) == 2
    assert "makes no pictures" in capsys.readouterr().err


def test_the_digits_that_come_along_are_digits():
    """As the classifier sees them: a sure name for nearly each, all ten of them."""
    subject = open_subject("digits")
    z = np.random.default_rng(0).standard_normal((300, subject.z_dim)).astype(np.float32)
    features = metrics.load_extractor("mnist")(subject(z))
    names = features.probabilities.argmax(1)
    assert (features.probabilities.max(1) > 0.9).mean() > 0.85 and np.bincount(names, minlength=10).min() >= 5


# ---- the server's manners ------------------------------------------------------------------------


def ask(server, method="POST", path=None, body="{}", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, f"/{server.token}/model" if path is None else path, skip_host="Host" in headers)
    headers.setdefault("Content-Length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer


def test_who_may_ask(server):
    here = f"127.0.0.1:{server.server_port}"
    assert ask(server)[0] == 200
    assert ask(server, Origin=f"http://{here}")[0] == 200
    assert ask(server, Host=f"localhost:{server.server_port}")[0] == 200
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
    ):
        assert ask(server, **headers)[0] == 403
        assert ask(server, "GET", f"/{server.token}/", **headers)[0] == 403
    for path in ("/", "/wrong/", f"/{server.token[:-1]}/", f"/{server.token}x/model", f"/{server.token}"):
        assert ask(server, "GET", path)[0] == 403 and ask(server, path=path)[0] == 403
    for path in ("../server.py", "%2e%2e/server.py", "kernels.js/", "nothing", "/etc/passwd"):
        assert ask(server, "GET", f"/{server.token}/{path}")[0] == 404
    for path in ("numbers", "facts", "lock", "__class__"):
        assert ask(server, path=f"/{server.token}/{path}")[0] == 404
    status, _, answer = ask(server, "GET", f"/{server.token}/")
    assert status == 200 and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert server.server_address[0] == "127.0.0.1" and len(server.token) >= 20


@pytest.mark.parametrize(
    ("what", "body", "told"),
    [
        ("draw", "{", "must be JSON"),
        ("draw", "[]", "JSON object"),
        ("draw", '{"z": "a"}', "rows of numbers"),
        ("draw", '{"z": [[1, 2]], "label": 0}', "expected 1 to 256 rows of 6"),
        ("draw", json.dumps({"z": [[0] * 6] * 257, "label": 0}), "expected 1 to 256 rows"),
        ("draw", '{"z": [[NaN, 0, 0, 0, 0, 0]], "label": 0}', "finite"),
        ("draw", '{"z": [[0, 0, 0, 0, 0, 0]], "label": 3}', "label = 3 must be"),
        ("draw", '{"z": [[0, 0, 0, 0, 0, 0]], "label": true}', "label = True must be"),
        ("latents", '{"seed": -1, "count": 1}', "seed = -1"),
        ("latents", '{"seed": 0, "count": 257}', "count = 257"),
        ("find", '{"picture": "?", "label": 0, "steps": 5}', "no base64"),
        ("find", '{"picture": "AAAA", "label": 0, "steps": 5}', "has 3 bytes"),
        ("progress", '{"search": "none"}', "no such search"),
        ("translate", '{"picture": ""}', "takes no picture"),
        ("draw", "[" * 100000, "must be JSON"),
    ],
)
def test_bad_questions(server, what, body, told):
    status, content, _ = ask(server, path=f"/{server.token}/{what}", body=body)
    assert status == 400 and told in json.loads(content)["error"]


def test_nothing_is_found_in_what_has_no_z(tmp_path):
    architecture = {"model": "dncnn", "width": 2}
    save_model(tmp_path / "m.safetensors", gan.build(architecture, np.random.default_rng(0))[0], architecture)
    explorer = Explorer(open_subject(tmp_path / "m.safetensors"))
    pixels = base64.b64encode(bytes(np.prod(explorer.facts["shape"]))).decode()
    with pytest.raises(InputError, match="is no picture"):
        explorer.find({"picture": pixels, "steps": 1})


def test_bodies_are_bounded(server):
    assert ask(server, body="", **{"Content-Length": str(LARGEST_BODY + 1)})[0] == 413
    assert ask(server, body="", **{"Content-Length": "x"})[0] == 411
    assert ask(server, body="", **{"Content-Length": "-1"})[0] == 413


def test_seeds_are_those_of_sample(server, subject):
    _, content, _ = ask(server, path=f"/{server.token}/latents", body='{"seed": 4, "count": 2}')
    z = np.array(json.loads(content)["z"])
    np.testing.assert_allclose(z, np.random.default_rng(4).standard_normal((2, 6)), atol=1e-5)
    body = json.dumps({"z": z.tolist(), "label": 2})
    _, content, _ = ask(server, path=f"/{server.token}/draw", body=body)
    expected = np.rint(subject(z.astype(np.float32), np.array([2, 2])) * 127.5 + 127.5)
    assert np.abs(np.frombuffer(content, np.uint8).reshape(2, 28, 28) - expected[:, 0]).max() <= 1


@contextmanager
def serving(folder):
    """``minigan explore m.safetensors`` in a process of its own, and its address."""
    command = [sys.executable, "-m", "minigan", "explore", "m.safetensors", "--no-open"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, text=True, **pipes) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_command_serves_until_ctrl_c(tmp_path):
    make_model(tmp_path / "m.safetensors")
    with serving(tmp_path) as (process, address):
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert b"minigan explorer" in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "ended" in out and err == ""


# ---- the page ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser, server):
    page = browser.open(server.address)
    page.wait("document.body.dataset.ready")
    return page


def settled(page):
    """What the canvas shows, once all that was asked for is drawn."""
    page.wait("!drawing && !again")
    return page.run(
        "Array.from($('picture').getContext('2d').getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 == 0))"
    )


def expected(page, subject):
    z = np.array(page.run("currentZ()"), np.float32)[None]
    return np.rint(subject(z, np.array([page.run("state.label")])) * 127.5 + 127.5).ravel()


def move(page, selector, value):
    page.run(
        f"(() => {{ const input = document.querySelector({json.dumps(selector)}); input.value = {value};"
        "for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )


def click(page, name):
    page.run(f"$('{name}').click()")


@needs_browser
def test_every_control(page, server, subject, tmp_path):
    shows = lambda: np.testing.assert_allclose(settled(page), expected(page, subject), atol=1)  # noqa: E731
    shows()
    first = settled(page)

    # sliders, both methods, raw z, truncation, class
    move(page, "#directions input", 2)
    assert page.run("state.offsets[0]") == 2 and settled(page) != first
    shows()
    move(page, "#method", "'SeFa'")
    move(page, "#directions input", -1)
    assert page.run("facts.directions[Object.keys(state.offsets)[1]].method") == "SeFa"
    shows()
    click(page, "centre")
    assert page.run("Object.keys(state.offsets).length") == 0 and settled(page) == first
    page.run("$('raw').open = true")
    page.wait("$('elements').children.length == 6")
    move(page, "#elements input", 1.5)
    assert page.run("state.z[0]") == 1.5
    shows()
    move(page, "#truncation", 0.5)
    shows()
    move(page, "#class", 2)
    assert page.run("state.label") == 2
    shows()

    # undo and redo, by keys too: class, truncation, element, centre, two sliders
    for _ in range(6):
        click(page, "undo")
    assert settled(page) == first and page.run("$('undo').disabled")
    click(page, "redo")
    page.run("document.activeElement.blur()")
    page.key("z", "KeyZ", modifiers=2)
    assert settled(page) == first
    page.key("Z", "KeyZ", modifiers=10)
    assert page.run("state.offsets[0]") == 2
    click(page, "undo")

    # seeds
    page.run("$('seed').value = 7; $('seed').focus()")
    page.key("Enter", text="\r")
    page.wait("state.seed == 7")
    np.testing.assert_allclose(page.run("state.z"), np.random.default_rng(7).standard_normal(6), atol=1e-5)
    page.run("$('seed').value = 3; $('go').click()")
    page.wait("state.seed == 3")
    page.run("$('seed').value = -3; $('go').click()")
    page.wait("$('message').textContent.includes('at least 0')")
    click(page, "random")
    page.wait("state.seed != 3")
    page.run(
        "window.copied = ''; Object.defineProperty(navigator, 'clipboard', {value: {"
        "writeText: async t => { copied = t; }}, configurable: true})"
    )
    click(page, "copy")
    page.wait("copied === String(state.seed)")

    # the grid
    click(page, "mix")
    page.wait("$('message').textContent.includes('two or more')")
    for number in (1, 4):
        page.run(f"$('grid').querySelectorAll('input')[{number}].click()")
    assert page.run("state.picked.join()") == "1,4" and page.run("document.querySelectorAll('.picked').length") == 2
    parents = np.array(page.run("[state.cells[1], state.cells[4]]"))
    click(page, "mix")
    mean = parents.mean(0)
    length = np.linalg.norm(parents, axis=1).mean()
    np.testing.assert_allclose(page.run("state.z"), mean * length / np.linalg.norm(mean), rtol=1e-9)
    move(page, "#mutation", 0)
    click(page, "breed")
    children = np.array(page.run("state.cells"))
    assert all(np.isin(child, parents).all() for child in children) and len(np.unique(children, axis=0)) > 2
    assert page.run("state.picked.length") == 0
    page.run("$('grid').querySelectorAll('button')[2].click()")
    np.testing.assert_array_equal(page.run("state.z"), children[2])
    move(page, "#mutation", 0.3)
    click(page, "near")
    near = np.array(page.run("state.cells"))
    assert 0.05 < np.abs(near - np.sqrt(1 - 0.09) * children[2]).mean() < 0.6
    click(page, "new")
    page.wait(
        f"JSON.stringify(state.cells) != {json.dumps(json.dumps(near.tolist()))!s} && state.cells[0][0] != {near[0][0]}"
    )

    # a path: by pen, by keys, by stops; GIF and strip
    page.run("$('pad').scrollIntoView()")
    box = page.run("(() => { const b = $('pad').getBoundingClientRect(); return [b.left, b.top, b.width]; })()")
    page.mouse("mousePressed", box[0] + 30, box[1] + 200)
    for share in (0.3, 0.5, 0.7, 0.9):
        page.mouse("mouseMoved", box[0] + share * box[2], box[1] + (1 - share) * box[2])
    page.mouse("mouseReleased", box[0] + 0.9 * box[2], box[1] + 0.1 * box[2])
    assert page.run("state.stops.length") >= 4
    assert abs(page.run("state.offsets[$('pad-x').value]") - 3.2) < 0.1
    click(page, "undo")
    assert page.run("state.stops.length") == 0  # the whole stroke is one step
    click(page, "redo")
    page.run("$('pad').focus()")
    before = page.run("state.offsets[$('pad-y').value]")
    page.key("ArrowUp")
    assert page.run("state.offsets[$('pad-y').value]") == pytest.approx(before + 0.25)
    click(page, "clear-path")
    assert page.run("state.stops.length") == 0 and page.run("$('gif').disabled")
    click(page, "add-stop")
    click(page, "centre")
    move(page, "#pad-x", 3)
    click(page, "add-stop")
    assert page.run("$('path-length').textContent") == "2 stops"
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    for name, file in (
        ("gif", "path.gif"),
        ("strip", "path.png"),
        ("save-png", "picture.png"),
        ("save-json", "latent.json"),
    ):
        click(page, name)
        until = time.monotonic() + 20
        while not (tmp_path / file).is_file() or not (tmp_path / file).stat().st_size:
            assert time.monotonic() < until, file
            time.sleep(0.05)
    with Image.open(tmp_path / "path.gif") as gif:
        assert gif.n_frames > 10 and gif.size == (224, 224)
    with Image.open(tmp_path / "path.png") as strip:
        assert strip.size == (12 * 30 + 2, 32)
    with Image.open(tmp_path / "picture.png") as picture:
        np.testing.assert_allclose(np.asarray(picture.convert("L")).ravel(), expected(page, subject), atol=1)
    page.run(
        "window.plays = 0; { const old = paint;"
        "paint = (...given) => { plays += given[0] === $('picture'); old(...given); }; }"
    )
    click(page, "play")
    page.wait("plays >= 48")

    # JSON out and back, and what is no such file
    kept = page.run("JSON.stringify(settings())")
    assert json.loads((tmp_path / "latent.json").read_text())["latent"] == json.loads(kept)["latent"]
    page.run("$('seed').value = 1; $('go').click()")
    page.wait("state.seed == 1")
    page.files("#open-json", tmp_path / "latent.json")
    page.wait("$('message').textContent == 'Opened.'")
    assert page.run("settings()") == json.loads(kept)
    for text in ("no JSON", '{"minigan": 1, "z": [1]}', "null"):
        (tmp_path / "bad.json").write_text(text)
        page.run("tell('')")
        page.files("#open-json", tmp_path / "bad.json")
        page.wait("$('message').classList.contains('error')")
    assert page.run("settings()") == json.loads(kept)
    assert page.problems() == []
    assert all(url.startswith((server.address, "data:", "blob:")) for url in page.requests())


@needs_browser
def test_a_picture_is_found(page, subject, tmp_path):
    page.run("change(() => { state.label = 1; })")
    z = np.random.default_rng(8).standard_normal((1, 6)).astype(np.float32)
    wanted = np.rint(subject(z, np.array([1]))[0, 0] * 127.5 + 127.5).astype(np.uint8)
    Image.fromarray(wanted).save(tmp_path / "wanted.png")
    page.files("#find-file", tmp_path / "wanted.png")
    page.wait("$('message').textContent.startsWith('Found at')", 60)
    assert float(page.run("$('psnr').textContent").split()[0]) > 22
    assert page.run("$('find-progress').value") == 1 and page.run("$('find-stop').disabled")
    close = np.array(settled(page), float).reshape(28, 28)
    assert ((close - wanted) ** 2).mean() < 255**2 / 10**2.1
    page.files("#find-file", tmp_path / "wanted.png")
    page.wait("!$('find-stop').disabled && search")
    click(page, "find-stop")
    page.wait("$('find-stop').disabled && search === ''", 60)
    clear = "new Promise(done => document.createElement('canvas').toBlob(done))"
    assert page.run(f"{clear}.then(file => pixels(file, 2, 1, 1)).then(found => [...found])") == [255, 255]
    (tmp_path / "no.png").write_text("no picture")
    page.files("#find-file", tmp_path / "no.png")
    page.wait("$('message').classList.contains('error')")


@needs_browser
def test_two_tabs_a_phone_and_the_keyboard(browser, server, page):
    other = browser.open(server.address, width=390, height=844)
    other.wait("document.body.dataset.ready")
    other.run("$('seed').value = 11; $('go').click()")
    other.wait("state.seed == 11")
    assert page.run("state.seed") != 11  # each tab has its own state
    assert other.run("document.documentElement.scrollWidth") <= 390
    assert other.run(
        "[...document.querySelectorAll('button, input:not([hidden]), select')]"
        ".every(e => e.labels?.length || e.textContent || e.ariaLabel)"
    )
    seen = set()
    other.run("document.body.focus()")
    for _ in range(70):
        other.key("Tab")
        seen.add(
            other.run("document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.tagName")
        )
    wanted = {
        "seed",
        "go",
        "random",
        "copy",
        "class",
        "truncation",
        "method",
        "centre",
        "new",
        "mix",
        "breed",
        "pad",
        "add-stop",
        "drop",
        "open-json-label",
    }
    assert wanted <= seen, wanted - seen


@needs_browser
def test_a_wrong_token_and_a_killed_server(browser, tmp_path):
    make_model(tmp_path / "m.safetensors")
    with serving(tmp_path) as (process, address):
        wrong = browser.open(address.rstrip("/") + "x/")
        assert "lacks the token" in wrong.run("document.body.innerText")
        page = browser.open(address)
        page.wait("document.body.dataset.ready")
        process.kill()
        process.wait()
    z = page.run("state.z.join()")
    move(page, "#directions input", 1)
    page.wait("$('message').textContent.includes('The server has ended')", 60)
    assert page.run("state.z.join()") == z and page.run("settings().latent.length") == 6


@needs_browser
def test_a_translator_shows_before_and_after(browser, tmp_path):
    architecture = {"model": "srgan", "width": 4}
    save_model(tmp_path / "m.safetensors", gan.build(architecture, np.random.default_rng(0))[0], architecture)
    subject = open_subject(tmp_path / "m.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    with Server(subject) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = browser.open(server.address)
        page.wait("document.body.dataset.ready")
        assert page.run("$('source-drop').offsetParent !== null && $('grid').offsetParent === null")
        page.files("#source", tmp_path / "in.png")
        page.wait("$('after').naturalWidth == 96 && $('before').naturalWidth == 24")
        page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        page.run("$('save-after').click()")
        until = time.monotonic() + 20
        while not (tmp_path / "after.png").is_file():
            assert time.monotonic() < until
            time.sleep(0.05)
        with Image.open(tmp_path / "after.png") as picture:
            made = np.asarray(picture, float)
        expected = subject(pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(127.5) - 1)[0]
        np.testing.assert_allclose(made, np.clip(np.rint(expected.transpose(1, 2, 0) * 127.5 + 127.5), 0, 255), atol=1)
        move(page, "#divider", 20)
        assert page.run("$('compare').style.getPropertyValue('--at')") == "20%"
        sides = page.run("['before', 'after'].map(id => JSON.stringify($(id).getBoundingClientRect()))")
        assert sides[0] == sides[1]  # one lies exactly over the other
        (tmp_path / "no.png").write_text("no picture")
        page.files("#source", tmp_path / "no.png")
        page.wait("$('message').textContent.includes('not a picture')")
        assert [said for said in page.problems() if "400" not in said] == []
        server.shutdown()


@needs_browser
def test_a_hole_is_painted_and_filled(browser, tmp_path, rng):
    subject = open_subject(make_translator(tmp_path / "m.safetensors", "context_encoder", task="inpaint"))
    pixels = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    with Server(subject) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = browser.open(server.address)
        page.wait("document.body.dataset.ready")
        assert page.run("$('masking').hidden")
        page.files("#source", tmp_path / "in.png")
        page.wait("!$('masking').hidden && $('damaged').naturalWidth == 64")
        click(page, "repair")
        page.wait("$('message').textContent.includes('say what is missing')")

        # the pen, the rubber, the keys
        missing = "missing($('mask')).reduce((a, b) => a + b)"
        page.run("$('mask').scrollIntoView()")
        left, top, width = page.run(
            "(() => { const b = $('mask').getBoundingClientRect(); return [b.left, b.top, b.width]; })()"
        )
        at = width / 64
        move(page, "#brush", 6)
        page.mouse("mousePressed", left + 20 * at, top + 20 * at)
        page.mouse("mouseMoved", left + 40 * at, top + 20 * at)
        page.mouse("mouseReleased", left + 40 * at, top + 20 * at)
        painted = page.run(missing)
        assert 110 < painted < 170  # 20 x 6 and two round ends
        page.run("$('mask').focus()")
        page.key("ArrowUp")
        page.key(" ")
        assert painted < page.run(missing) < painted + 40
        click(page, "erase")
        assert page.run("$('erase').ariaPressed") == "true"
        page.key(" ")
        assert page.run(missing) < painted + 5
        click(page, "erase")
        click(page, "clear-mask")
        assert page.run(missing) == 0

        mask = np.zeros((48, 64), np.uint8)
        Image.fromarray(mask[1:]).save(tmp_path / "small.png")
        page.files("#mask-file", tmp_path / "small.png")
        page.wait("$('message').textContent.includes('64x47 pixels, the picture 64x48')")
        mask[10:30, 20:50] = 255
        Image.fromarray(mask).save(tmp_path / "mask.png")
        page.files("#mask-file", tmp_path / "mask.png")
        page.wait(f"{missing} == 600")
        click(page, "repair")
        page.wait("!$('compare').hidden && $('working').hidden")
        expected = PictureTranslator(subject)(pixels, mask > 0)
        np.testing.assert_array_equal(shown_after(page), expected)
        assert (expected[mask == 0] == pixels[mask == 0]).all() and (expected != pixels)[12:28, 22:48].any()
        page.resize(390, 844)  # a phone
        page.wait("innerWidth == 390 && document.documentElement.scrollWidth <= 390")
        page.run("fillMask = $('mask').getContext('2d'); fillMask.fillStyle = '#fff'; fillMask.fillRect(0, 0, 64, 48)")
        click(page, "repair")
        page.wait("$('message').textContent.includes('nothing left to go by')")
        server.shutdown()


# ---- without a server ----------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("name", ["acgan", "sngan", "self_conditioned"])
def test_an_exported_page_draws_the_same_offline(browser, name, tmp_path):
    model = make_model(tmp_path / "m.safetensors", name)
    assert cli.main(["export", str(model), "--html", str(tmp_path / "page.html")]) == 0
    subject = open_subject(model)
    browser.events.clear()
    page = browser.open((tmp_path / "page.html").as_uri())
    page.wait("document.body.dataset.ready")
    given = subject.inputs(3, np.random.default_rng(2))
    for number, image in enumerate(subject(*given.values())):
        label = int(given["labels"][number]) if "labels" in given else "null"
        made = page.run(f"Array.from(OFFLINE.image({given['z'][number].tolist()}, {label}).data)")
        np.testing.assert_allclose(made, image.ravel(), atol=1e-4)
    move(page, "#directions input", 2)
    page.wait("!drawing && !again")
    assert page.run("$('find').hidden") and page.run("$('gif').hidden") and not page.run("$('strip').hidden")
    assert page.problems() == [] and {url.split(":")[0] for url in page.requests()} <= {"file", "data"}


def make_translator(path, model, **settings):
    """An untrained network from picture to picture, whose changes can be seen."""
    task = settings.get("task")
    own = TASKS[task].architecture(model, gan.PAIRED[model].scales, None) if task else {}
    architecture = {"model": model, **own, **settings, "width": 3}
    generator, _ = gan.build(architecture, np.random.default_rng(0))
    for parameter in generator.parameters():
        parameter.assign(parameter.numpy() * 1.5)
    save_model(path, generator, architecture)
    return path


def shown_after(page):
    """The pixels of the page's result, uint8 (H, W, 3)."""
    height, width = page.wait("$('after').naturalWidth && [$('after').naturalHeight, $('after').naturalWidth]")
    code = """(() => { const canvas = Object.assign(document.createElement('canvas'), {width: %d, height: %d});
    const context = canvas.getContext('2d'); context.drawImage($('after'), 0, 0);
    return Array.from(context.getImageData(0, 0, %d, %d).data); })()"""
    return np.array(page.run(code % (width, height, width, height)), np.uint8).reshape(height, width, 4)[:, :, :3]


TRANSLATORS = {
    "srgan": {},
    "pix2pix": {"task": "colorize"},
    "context_encoder": {"task": "inpaint"},
    "dncnn": {"task": "enlarge"},  # the picture is enlarged for it
    "drunet": {"task": "derain"},
    "cyclegan": {},  # is shown all of a picture at once
}


@needs_browser
@pytest.mark.parametrize("name", TRANSLATORS)
def test_an_exported_translator_is_the_same_offline(browser, name, tmp_path, rng):
    """In tiles, of sizes that no network likes, with a mask where one is wanted."""
    model = make_translator(tmp_path / "m.safetensors", name, **TRANSLATORS[name])
    assert cli.main(["export", str(model), "--html", str(tmp_path / "page.html")]) == 0
    subject = open_subject(model)
    browser.events.clear()
    page = browser.open((tmp_path / "page.html").as_uri())
    page.wait("document.body.dataset.ready")
    given = subject.inputs(2, rng)["picture"][:1, :, :16, :32]
    tensor = f"Kernels.tensor({list(given.shape)}, Float32Array.from({given.ravel().tolist()}))"
    made = page.run(f"Array.from(OFFLINE.image({tensor}).data)")
    np.testing.assert_allclose(made, subject(given).ravel(), atol=1e-4)

    pixels = rng.integers(0, 256, (21, 35 if name == "dncnn" else 141, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    mask = None
    page.files("#source", tmp_path / "in.png")
    if name == "context_encoder":
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[5:16, 120:136] = 255
        Image.fromarray(mask).save(tmp_path / "mask.png")
        page.wait("!$('masking').hidden")
        page.files("#mask-file", tmp_path / "mask.png")
        page.wait("missing($('mask')).some(v => v)")
        click(page, "repair")
    page.wait("!$('compare').hidden && $('working').hidden", 60)
    expected = PictureTranslator(subject)(pixels, None if mask is None else mask > 0)
    assert np.abs(shown_after(page).astype(int) - expected).max() <= 1
    assert expected.std() > 20  # a picture, not a plane
    assert page.problems() == [] and {url.split(":")[0] for url in page.requests()} <= {"file", "data", "blob"}


@needs_browser
@pytest.mark.parametrize("offline", [False, True])
def test_one_that_learned_from_whole_pictures_is_shown_the_square_at_the_centre(browser, offline, tmp_path, rng):
    model = make_translator(tmp_path / "m.safetensors", "cyclegan", whole=16)
    assert cli.main(["export", str(model), "--html", str(tmp_path / "page.html")]) == 0
    subject = open_subject(model)
    with Server(subject) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = browser.open((tmp_path / "page.html").as_uri() if offline else server.address)
        page.wait("document.body.dataset.ready")
        pixels = rng.integers(0, 256, (16, 24, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in.png")
        page.files("#source", tmp_path / "in.png")
        page.wait("!$('compare').hidden && $('working').hidden", 60)
        expected = PictureTranslator(subject)(pixels[:, 4:20])
        assert np.abs(shown_after(page).astype(int) - expected).max() <= 1 and expected.std() > 20
        Image.fromarray(pixels.repeat(10, 0).repeat(10, 1)).save(tmp_path / "in.png")  # and any other at that size
        page.run("window.former = $('before').src")
        page.files("#source", tmp_path / "in.png")
        page.wait("$('before').src != former && $('before').naturalWidth == 16 && $('working').hidden", 60)
        assert np.abs(shown_after(page).astype(int) - expected).mean() < 20
        assert page.problems() == []
        server.shutdown()


@needs_browser
def test_a_long_one_can_be_stopped(browser, tmp_path, rng):
    model = make_translator(tmp_path / "m.safetensors", "dncnn")
    assert cli.main(["export", str(model), "--html", str(tmp_path / "page.html")]) == 0
    page = browser.open((tmp_path / "page.html").as_uri())
    page.wait("document.body.dataset.ready")
    Image.fromarray(rng.integers(0, 256, (900, 900, 3)).astype(np.uint8)).save(tmp_path / "in.png")
    page.files("#source", tmp_path / "in.png")
    page.wait("$('translate-progress').value > 0 && !$('working').hidden")
    click(page, "translate-stop")
    assert page.run("$('working').hidden && $('compare').hidden")
    (tmp_path / "no.png").write_text("no picture")
    page.files("#source", tmp_path / "no.png")
    page.wait("$('message').textContent.includes('no picture')")


@needs_browser
def test_every_kernel_of_the_page(browser, tmp_path, rng):
    subject = Whole(Every(rng), "every", {})
    run = subject.inputs(2, rng)
    steps, weights = pack(trace(subject.network, run))
    kernels = (ROOT / "minigan/explore/page/kernels.js").read_text()
    (tmp_path / "k.html").write_text(f"<body><script>{kernels}</script></body>")
    page = browser.open((tmp_path / "k.html").as_uri())
    picture = f"Kernels.tensor({list(run['picture'].shape)}, Float32Array.from({run['picture'].ravel().tolist()}))"
    page.run(f"const program = {json.dumps(steps)}; offline({{}}, program, '{weights}')")
    made = page.run(f"Array.from(Kernels.run(program, {{picture: {picture}}}).data)")
    np.testing.assert_allclose(made, subject(run["picture"]).ravel(), atol=1e-4)


def test_an_exported_page_is_of_a_generator(capsys):
    assert cli.main(["export", "mnist", "--html", "x.html"]) == 2
    assert "for networks that draw pictures" in capsys.readouterr().err


def test_nothing_in_the_page_ends_its_script(subject):
    page = to_html(subject).decode()
    assert page.count("</script>") == 4 and 'src="' not in page.split("<script")[0]
