"""A headless Chromium, driven over a pipe by its own protocol: no port, no driver, no package."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WHY_NOT = "" if CHROMIUM else "there is no Chromium: apt-get install chromium"


class Browser:
    """One process with pages; ``with Browser() as browser: page = browser.open(address)``."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="minigan-chromium-")
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe",
            f"--user-data-dir={self.folder}",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--window-size=1100,900",
        ]  # fmt: skip

        def hand_over():  # Chromium reads descriptor 3 and writes 4
            ends = os.dup(theirs_in), os.dup(theirs_out)
            for number, end in zip((3, 4), ends, strict=True):
                os.dup2(end, number)
                os.set_inheritable(number, True)

        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            [CHROMIUM, *flags, "about:blank"], preexec_fn=hand_over, close_fds=False, **quiet
        )
        os.close(theirs_in), os.close(theirs_out)
        self.read_end, self.write_end = ours_in, ours_out
        self.rest, self.count, self.events = b"", 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send("Browser.close")
            self.process.wait(20)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.read_end), os.close(self.write_end)
        shutil.rmtree(self.folder, ignore_errors=True)

    def message(self, until):
        while b"\0" not in self.rest:
            if not select.select([self.read_end], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("Chromium says nothing")
            part = os.read(self.read_end, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended")
            self.rest += part
        first, _, self.rest = self.rest.partition(b"\0")
        return json.loads(first)

    def send(self, method, session=None, **params):
        self.count += 1
        number = self.count
        asked = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self.write_end, json.dumps(asked).encode() + b"\0")
        until = time.monotonic() + 60
        while True:
            found = self.message(until)
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                return found["result"]
            self.events.append(found)

    def open(self, address, width=1100, height=900):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        page.send("Page.enable"), page.send("Runtime.enable"), page.send("Network.enable"), page.send("Log.enable")
        page.resize(width, height)
        page.send("Page.navigate", url=address)
        page.wait("location.href != 'about:blank' && document.readyState == 'complete'")
        return page


class Page:
    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def resize(self, width, height):
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, code):
        """The value of an expression, a promise's once it is there."""
        found = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description", details["text"]))
        return found["result"].get("value")

    def wait(self, code, seconds=20):
        """Until an expression is true; its value."""
        until = time.monotonic() + seconds
        while True:
            found = self.run(code)
            if found:
                return found
            if time.monotonic() > until:
                shown = str(self.run("document.body && document.body.innerText"))[:600]
                raise AssertionError(f"never true: {code}; the page says {shown}")
            time.sleep(0.05)

    def key(self, key, code=None, modifiers=0, text=None):
        shared = {"key": key, "code": code or key, "modifiers": modifiers} | ({"text": text} if text else {})
        shared["windowsVirtualKeyCode"] = {"Enter": 13, " ": 32, "Tab": 9, "ArrowRight": 39, "ArrowUp": 38}.get(
            key, ord(key[0].upper())
        )
        self.send("Input.dispatchKeyEvent", type="keyDown", **shared)
        self.send("Input.dispatchKeyEvent", type="keyUp", **shared)

    def mouse(self, kind, x, y):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def files(self, selector, *paths):
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def screenshot(self, path):
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def problems(self):
        """Errors on the page's console, and requests to anywhere else."""
        own = [e for e in self.browser.events if e.get("sessionId") == self.session]
        said = [
            e["params"]["entry"]["text"]
            for e in own
            if e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"
        ]
        thrown = [e["params"]["exceptionDetails"]["text"] for e in own if e["method"] == "Runtime.exceptionThrown"]
        return said + thrown

    def requests(self):
        own = [e for e in self.browser.events if e.get("sessionId") == self.session]
        return [e["params"]["request"]["url"] for e in own if e["method"] == "Network.requestWillBeSent"]
