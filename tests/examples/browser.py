"""A headless Chromium, driven over its debugging pipe: what a person would do, and what they see.

The options of the command line would do for a picture, but not for a narrow window (a window has
at least 500 pixels), for moving the mouse, or for hearing of every error.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60  # seconds; the first start on a busy machine is slow


def program():
    """Its path, or None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        from_us, self.to_it = os.pipe()
        self.from_it, to_us = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
                   f"--user-data-dir={self.profile.name}"]
        # Chromium reads commands from descriptor 3 and answers on 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{from_us} 4>&{to_us}', "bash", program(), *options],
            pass_fds=(from_us, to_us), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self.number, self.unread, self.said, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _next(self, until):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.from_it], [], [], max(0, until - time.monotonic()))
            more = os.read(self.from_it, 1 << 20) if ready else b""
            if not more:
                raise TimeoutError("Chromium does not answer")
            self.unread += more
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def _send(self, method, parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_it, json.dumps(message).encode() + b"\0")
        return self.number

    def _hear(self, event):
        self.said.append(event)
        if event.get("method") == "Page.javascriptDialogOpening":
            self._send("Page.handleJavaScriptDialog", {"accept": True})  # the page stands still

    def call(self, method, **parameters):
        number = self._send(method, parameters)
        until = time.monotonic() + PATIENCE
        while (answer := self._next(until)).get("id") != number:
            self._hear(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, path, width, dark=False):
        self.said.clear()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + PATIENCE
        while not any(event.get("method") == "Page.loadEventFired" for event in self.said):
            self._hear(self._next(until))
        self.settle()

    def settle(self):
        """Two frames: what was asked for with requestAnimationFrame has been drawn."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def value(self, script):
        """What an expression comes to in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def troubles(self):
        """Errors, dialogs, and whatever it wanted to load, since the page was opened."""
        found = []
        for event in self.said:
            method, what = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(str(what["exceptionDetails"]))
            elif method == "Runtime.consoleAPICalled" and what["type"] == "error":
                found.append(str(what["args"]))
            elif method == "Log.entryAdded" and what["entry"]["level"] == "error":
                found.append(what["entry"]["text"])
            elif method == "Page.javascriptDialogOpening":
                found.append(f"a dialog: {what['message']}")
            elif method == "Network.requestWillBeSent" and what["type"] != "Document":
                found.append(f"loads {what['request']['url']}")
        return found

    def point_at(self, selector, along):
        """Moves the mouse into an element, `along` of its width from its left edge."""
        box = self.value(f"""(() => {{
          const what = document.querySelector({json.dumps(selector)});
          what.scrollIntoView({{block: "center"}});
          const {{x, y, width, height}} = what.getBoundingClientRect();
          return {{x, y, width, height}};
        }})()""")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + along * box["width"],
                  y=box["y"] + box["height"] / 2)
        self.settle()

    def press(self, name):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)
        self.settle()

    def picture(self, path, whole=True):
        """A PNG of the page, or of what the window shows of it."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def print(self, path):
        paper = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        pathlib.Path(path).write_bytes(base64.b64decode(paper["data"]))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
        self.process.wait()
        os.close(self.to_it)
        os.close(self.from_it)
        self.profile.cleanup()
