"""The explorer's server: Python's own, on this machine only, for whoever holds the token in its address.

A request is answered when it names this server as its host, comes from its own page or from no page at all, and has the
token in its path; so another user's program or another site's script learns nothing. What is asked for is bounded: a
body's size, the number of pictures, the steps of a search.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import io
import json
import secrets
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from .. import viz
from ..data.image_folder import plain_pixels
from ..errors import InputError
from ..export import Subject
from ..media import as_html, best_for_a_page, medium_of
from ..translation.editor import PhotoEditor
from .directions import find_directions
from .inversion import Search
from .translating import PictureTranslator

PAGE = Path(__file__).parent / "page"
FILES = {"": "index.html", "script.js": "script.js", "style.css": "style.css"}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
LARGEST_BODY = 16 << 20
MOST_PICTURES = 256
MOST_STEPS = 1000
MOST_PIXELS = 4 << 20
SECONDS = 60  # until a connection that says nothing is closed
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Explorer:
    """What the page can ask for: each public method without an underscore is an address below the token's."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.lock = threading.Lock()  # one at a time: the backend uses all cores for each
        self.searches: dict[str, tuple[Search, threading.Event]] = {}
        self.facts = describe(subject)
        self.medium = medium_of(subject.architecture) if subject.kind == "latent" else None
        self.translator = PictureTranslator(subject) if subject.kind == "picture" else None
        self.editor = PhotoEditor.of(subject.network, subject.architecture) if subject.kind == "editor" else None

    def model(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self.facts

    def latents(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The z that ``minigan sample --seed`` draws."""
        seed, count = whole(asked, "seed", 0, 2**53), whole(asked, "count", 1, MOST_PICTURES)
        z = np.random.default_rng(seed).standard_normal((count, self.facts["z_dim"]))
        return {"z": np.round(z, 5).tolist()}

    def draw(self, asked: dict[str, Any]) -> bytes:
        """Pictures of samples as bytes (N, H, W, C)."""
        return self.pictures(asked).tobytes()

    def path(self, asked: dict[str, Any]) -> bytes:
        """A way along z as an animation, or as one picture."""
        pictures = self.pictures(asked)
        if asked.get("format") == "gif":
            return viz.gif([enlarged(picture) for picture in pictures], len(pictures) / 12)
        return viz.png(viz.grid(pictures.transpose(0, 3, 1, 2), columns=len(pictures)))

    def play(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One sample as what it is, to be heard, read, or seen moving: a part of the page."""
        z = self.numbers(asked, "z")
        if self.medium is None or len(z) > 1:
            raise InputError(f"play: {len(z)} samples cannot be played at once: ask for one")
        sample = self.samples(z, self.label(asked))
        with tempfile.TemporaryDirectory() as folder:
            written = self.medium.save(Path(folder, f"sample{self.medium.suffix}"), sample, 1)
            return {"html": as_html(best_for_a_page(written))}

    def find(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Begin to look for a picture; ``progress`` says how far it is."""
        if self.medium is None or self.facts["plays"]:
            raise InputError("find: what this model makes of z is no picture")
        channels, height, width = self.facts["shape"]
        try:
            pixels = np.frombuffer(base64.b64decode(str(asked.get("picture", "")), validate=True), np.uint8)
        except (binascii.Error, ValueError):
            raise InputError("find: the picture is no base64") from None
        if pixels.size != channels * height * width:
            raise InputError(f"find: the picture has {pixels.size} bytes, expected {height}x{width}x{channels}")
        picture = pixels.reshape(height, width, channels).transpose(2, 0, 1) / np.float32(127.5) - 1
        total = whole(asked, "steps", 1, MOST_STEPS)
        with self.lock:
            search = Search(self.subject, picture, self.label(asked), total=total)
        for _, stop in self.searches.values():
            stop.set()
        name, stop = secrets.token_hex(4), threading.Event()
        self.searches = {name: (search, stop)}
        threading.Thread(target=self._look, args=(search, stop), daemon=True).start()
        return {"search": name}

    def _look(self, search: Search, stop: threading.Event) -> None:
        steps = search.steps()
        while not stop.is_set():
            with self.lock:
                if next(steps, None) is None:
                    break
        stop.set()

    def progress(self, asked: dict[str, Any]) -> dict[str, Any]:
        """With ``stop``, the last word of it."""
        found = self.searches.get(str(asked.get("search")))
        if found is None:
            raise InputError("progress: there is no such search; another one may have taken its place")
        search, stop = found
        if asked.get("stop"):
            stop.set()
        known = {"step": search.step, "total": search.total, "done": stop.is_set()}
        if not np.isfinite(search.psnr):
            return known | {"psnr": None, "z": None}
        return known | {"psnr": round(search.psnr, 2), "z": np.round(search.z.astype(float), 5).tolist()}

    def translate(self, asked: dict[str, Any]) -> bytes:
        """A picture through a network that takes one, as PNG; for one that fills holes with ``mask``, a picture that is
        white where something is missing; one that changes one thing is told what to ``set``, by name."""
        if self.editor is not None:
            wanted = asked.get("set", {})
            if not isinstance(wanted, dict) or not all(isinstance(value, str) for value in wanted.values()):
                raise InputError(f"set = {wanted!r} must be names with their values, as text")
            pixels = sent_picture(asked, "picture", 3)
            with self.lock:
                return viz.png(self.editor(pixels, wanted))
        if self.translator is None:
            raise InputError("translate: this model takes no picture")
        pixels = sent_picture(asked, "picture", self.translator.takes)
        mask = sent_picture(asked, "mask", 1)[:, :, 0] > 127 if "mask" in asked else None
        with self.lock:
            made = self.translator(pixels, mask)
        return viz.png(made[:, :, 0] if made.shape[2] == 1 else made)

    # ---- what was asked for --------------------------------------------------------------------

    def numbers(self, asked: dict[str, Any], name: str) -> np.ndarray:
        try:
            z = np.asarray(asked.get(name), np.float32)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{name} must be rows of numbers") from None
        wanted = self.facts["z_dim"]
        if z.ndim != 2 or not 1 <= len(z) <= MOST_PICTURES or z.shape[1] != wanted or not np.isfinite(z).all():
            raise InputError(f"{name} is {z.shape}, expected 1 to {MOST_PICTURES} rows of {wanted} finite numbers")
        return z

    def label(self, asked: dict[str, Any]) -> int | None:
        classes = self.facts["classes"]
        return whole(asked, "label", 0, len(classes) - 1) if classes else None

    def pictures(self, asked: dict[str, Any]) -> np.ndarray:
        """Of the samples of these z, uint8 (N, H, W, C)."""
        if self.medium is None:
            raise InputError("this model takes a picture, and draws none of z")
        samples = self.samples(self.numbers(asked, "z"), self.label(asked))
        shown = np.stack([np.asarray(self.medium.one(sample)) for sample in samples])
        return shown if shown.ndim == 4 else shown[..., None]

    def samples(self, z: np.ndarray, label: int | None) -> np.ndarray:
        given = (z,) if label is None else (z, np.full(len(z), label))
        with self.lock:
            return self.subject(*given)


ASKED = ("model", "latents", "draw", "path", "play", "find", "progress", "translate")


def describe(subject: Subject, directions: int = 8) -> dict[str, Any]:
    """What the page must know of a model."""
    if subject.kind not in ("latent", "picture", "editor"):
        raise InputError(f"{subject.name} makes no pictures: explore a generator, or a network from picture to picture")
    given = subject.inputs(1, np.random.default_rng(0))
    sample = subject(*given.values())[0]
    if not np.isfinite(sample).all():
        raise InputError(f"{subject.name} makes values that are not finite: take an earlier checkpoint, or train anew")
    shape, plays = sample.shape, ""
    if subject.kind == "latent":
        medium = medium_of(subject.architecture)
        height, width, *channels = medium.one(sample).shape
        shape, plays = (*(channels or (1,)), height, width), "" if medium.suffix == ".png" else medium.suffix
    facts = {
        "kind": subject.kind,
        "name": subject.name,
        "shape": list(shape),
        "plays": plays,
        "classes": [str(n) for n in range(subject.classes)],
        "server": True,
    }
    if subject.kind == "editor":
        return facts | {"attributes": subject.architecture["attributes"], "z_dim": 0, "directions": []}
    if subject.kind == "picture":
        return facts | PictureTranslator(subject).about | {"z_dim": 0, "directions": []}
    found = find_directions(subject, min(directions, given["z"].shape[1]))
    rows = [
        {"method": d.method, "share": round(d.share, 4), "vector": [round(float(v), 5) for v in d.vector]}
        for d in found
    ]
    return facts | {"z_dim": given["z"].shape[1], "directions": rows}


def sent_picture(asked: dict[str, Any], name: str, channels: int) -> np.ndarray:
    """uint8 (H, W, channels), upright, on white"""
    from PIL import Image

    try:
        content = base64.b64decode(str(asked.get(name, "")), validate=True)
        with Image.open(io.BytesIO(content)) as picture:  # its size is known before it is decoded
            if picture.width * picture.height > MOST_PIXELS:
                raise InputError(
                    f"{name}: {picture.width}x{picture.height} pixels are too many: at most 4 million here, any number "
                    "on the command line"
                )
        return plain_pixels(io.BytesIO(content), channels)
    except InputError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything from a decoder
        raise InputError(f"{name}: not a picture ({error})") from None


def whole(asked: dict[str, Any], name: str, least: int, most: int) -> int:
    value = asked.get(name)
    if type(value) is not int or not least <= value <= most:
        raise InputError(f"{name} = {value!r} must be a whole number from {least} to {most}")
    return value


def enlarged(picture: np.ndarray, side: int = 224) -> np.ndarray:
    """A small picture by a whole factor, for an animation that is looked at by itself."""
    factor = max(1, side // picture.shape[0])
    grown = np.repeat(np.repeat(np.asarray(picture), factor, 0), factor, 1)
    return grown[..., 0] if grown.shape[-1] == 1 else grown


# ---- HTTP ------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves the page of one model, on a port of its own choice where none is given."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, subject: Subject, port: int = 0) -> None:
        self.explorer = Explorer(subject)  # first: what cannot be explored opens no port
        super().__init__(("127.0.0.1", port), Handler)
        self.token = secrets.token_urlsafe(16)
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that has been closed is no error."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "minigan", ""
    timeout = SECONDS
    disable_nagle_algorithm = True  # or an answer's body waits 40 ms for the head to be acknowledged

    def do_GET(self) -> None:
        place = self.permitted()
        if place is None:
            return
        if place not in FILES:
            return self.refuse(404, "there is no such file")
        path = PAGE / FILES[place]
        self.answer(path.read_bytes(), TYPES[path.suffix])

    def do_POST(self) -> None:
        place = self.permitted()
        if place is None:
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self.refuse(411, "a request must say how long it is")
        if not 0 <= length <= LARGEST_BODY:
            return self.refuse(413, f"this is too large: a request may have {LARGEST_BODY >> 20} MB")
        body = self.rfile.read(length)
        if place not in ASKED:
            return self.refuse(404, "there is no such question")
        try:
            asked = json.loads(body or b"{}")
            if not isinstance(asked, dict):
                raise InputError("a request must be a JSON object")
            found = getattr(self.server.explorer, place)(asked)
        except (ValueError, RecursionError) as error:  # InputError, and JSON's own
            return self.refuse(400, str(error) if isinstance(error, InputError) else "a request must be JSON")
        except MemoryError:
            return self.refuse(400, "that needs more memory than there is")
        if isinstance(found, bytes):
            self.answer(found, "application/octet-stream")
        else:
            self.answer(json.dumps(found).encode(), "application/json")

    def permitted(self) -> str | None:
        """The address below the token, or None, where the request has been refused."""
        origin = self.headers.get("Origin")
        parts = urlsplit(self.path).path.split("/", 2)
        if self.headers.get("Host") not in self.server.hosts:
            self.refuse(403, "this server is asked for by another name")
        elif origin is not None and urlsplit(origin).netloc not in self.server.hosts:
            self.refuse(403, "this page belongs to another server")
        elif len(parts) < 3 or not hmac.compare_digest(parts[1].encode(), self.server.token.encode()):
            self.refuse(403, "the address lacks the token: take the one that was printed")
        else:
            return parts[2]
        return None

    def answer(self, content: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **SAFE}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, why: str) -> None:
        self.close_connection = True  # its body, if it has one, has not been read
        self.answer(json.dumps({"error": why}).encode(), "application/json", status)

    def log_message(self, *_: Any) -> None:
        """The terminal is not told of each request."""
