"""A headless Chromium that is spoken to through a pipe, by its DevTools protocol: no package, no port, no network."""

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

AXE = os.environ.get("AXE_CORE")
"""Path of an `axe.min.js` of axe-core 4, which is not part of this project: CONTRIBUTING.md says how to get it."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """A page that is open in the browser.

    Attributes:
        events: what the browser told: messages of the console, exceptions, requests, in order.

    """

    def __init__(self, asks, answers):
        self.asks, self.answers, self.numbers, self.events = asks, answers, itertools.count(1), []
        self.session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.asks.write(json.dumps(message).encode() + b"\0")
        self.asks.flush()
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        parts = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser has gone"
            parts += byte
        return json.loads(parts)

    def open(self, path, width=1200, height=900, scheme="light", media="screen"):
        """Open a file at a width, in a color scheme, on a medium."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=media, features=features)
        before = len(self.events)
        self.send("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events[before:]):
            self.events.append(self._read())

    def run(self, script):
        """Run a function of the page, and return what it returns."""
        done = self.send("Runtime.evaluate", expression=f"({script})()", returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def axe(self):
        """Run axe-core on the page; return [rule, impact, elements] of what it finds wrong."""
        done = self.send("Runtime.evaluate", expression=Path(AXE).read_text("utf-8"))
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return self.run("""async () => {
          const found = await axe.run(document, {resultTypes: ["violations"]});
          return found.violations.map((v) => [v.id, v.impact, v.nodes.map((node) => node.html)]);
        }""")

    def press(self, key, **more):
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def pdf(self):
        return self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]

    def complaints(self):
        """Return messages of the console, exceptions, and requests for anything but the page itself."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(params)
            if method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(("file:", "data:")):
                found.append(params["request"]["url"])
        return found


START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the two ends of the pipes where the browser looks for them, and becomes the browser."""


@contextmanager
def opened(folder):
    """Start the browser with its profile in a folder, and yield a page."""
    (out_read, out_write), (in_read, in_write) = os.pipe(), os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--proxy-server=127.0.0.1:9",
               f"--user-data-dir={folder}", "--disable-dev-shm-usage", "--hide-scrollbars"]  # fmt: skip
    placed = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (out_read, in_write)]  # not in the way of 3 and 4
    command = [sys.executable, "-c", START, *map(str, placed), CHROMIUM, *options]
    log = (folder.parent / "browser.log").open("wb")
    child = subprocess.Popen(command, pass_fds=placed, stdout=log, stderr=log)
    for fd in (out_read, in_write, *placed):
        os.close(fd)
    with os.fdopen(out_write, "wb") as asks, os.fdopen(in_read, "rb") as answers, log:
        try:
            yield Page(asks, answers)
        finally:
            child.kill()
            child.wait()


AUDIT = r"""() => {
  const seen = (element) => element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true});
  const numbers = (color) => {
    const c = color.match(/[\d.]+/g).map(Number);
    if (color.startsWith("color(")) for (let i = 0; i < 3; i++) c[i] *= 255;
    return c.length < 4 ? [...c, 1] : c;
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(numbers(getComputedStyle(e).backgroundColor));
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  const named = (e) => (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || "").trim();
  const wrong = [], path = (e) => e.tagName + "." + e.className + "#" + e.id + " " + e.textContent.trim().slice(0, 40);
  const checked = new Set();
  for (const element of document.body.querySelectorAll("*:not(svg *):not(script)")) {
    if (![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !seen(element)) continue;
    const style = getComputedStyle(element), back = behind(element);
    const key = [style.color, back, style.fontSize > "24px"].join();
    if (checked.has(key)) continue;
    checked.add(key);
    const [a, b] = [light(over(numbers(style.color), back)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) wrong.push(["contrast " + ratio.toFixed(2), path(element)]);
  }
  for (const e of document.querySelectorAll("a, button, input, select, summary"))
    if (!named(e)) wrong.push(["no name", path(e)]);
  for (const e of document.querySelectorAll("svg.chart, [role=group]"))
    if (!e.getAttribute("aria-label")) wrong.push(["no label", path(e)]);
  for (const e of document.querySelectorAll("th:not([scope])")) wrong.push(["no scope", path(e)]);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids.filter((x, i) => ids.indexOf(x) !== i)) wrong.push(["id twice", id]);
  for (const e of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(e.getAttribute("aria-labelledby"))) wrong.push(["labelled by nothing", path(e)]);
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    if (+e.tagName[1] > level + 1) wrong.push(["heading skips a level", path(e)]);
    level = +e.tagName[1];
  }
  const landmarks = document.querySelectorAll("main, nav").length === 2;
  if (!landmarks || !document.documentElement.lang || !document.title) wrong.push(["landmarks", ""]);
  for (const e of document.querySelectorAll(".scroll"))
    if (e.scrollWidth > e.clientWidth + 1 && e.tabIndex !== 0) wrong.push(["cannot be scrolled by keyboard", path(e)]);
  return wrong;
}"""
"""What is wrong for readers with a keyboard, a screen reader or weak eyes: contrast (WCAG 2.2 AA), names, headings."""

WIDE = r"""() => {
  const limit = document.documentElement.clientWidth + 1, wide = [];
  if (document.documentElement.scrollWidth > limit) wide.push(["page", document.documentElement.scrollWidth]);
  const clips = (e) => e !== document.body && /auto|scroll|hidden/.test(getComputedStyle(e).overflowX);
  const inside = (e) => Boolean(e.parentElement) && (clips(e.parentElement) || inside(e.parentElement));
  for (const e of document.body.querySelectorAll("*:not(svg *)")) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > limit && !inside(e) && !e.matches(".skip"))
      wide.push([e.tagName + "." + e.className, Math.round(box.right)]);
  }
  return wide.slice(0, 20);
}"""
"""What stands out of the page at its right, and is in nothing that can be scrolled."""
