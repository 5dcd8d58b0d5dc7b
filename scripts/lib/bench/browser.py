"""Chromium, driven through its driver: when a page is first painted in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import urllib.parse

from .processes import BenchError, NotHere, Service, Word, environment
from .server import Account, Server
from .session import Bench

# Root can't have the sandbox; the rest keeps it from asking other hosts for anything.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--window-size=1440,900",
)

JSON = {"content-type": "application/json"}

# Milliseconds from the click to the first text or picture.
PAINTED = """
const done = arguments[0];
new PerformanceObserver((list, observer) => {
    const [paint] = list.getEntriesByName("first-contentful-paint");
    if (!paint) return;
    observer.disconnect();
    done(paint.startTime);
}).observe({ type: "paint", buffered: true });
"""


class Browser(Service):
    """A Chromium with an empty profile; `with` starts its driver and it, and ends both."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.work / "chromedriver.log", "/status", 200)
        self.driver, self.chromium = program("chromedriver"), program("chromium")
        self.profile = bench.work / "chromium"
        self.session = ""

    def arguments(self) -> list[Word]:
        return [self.driver, f"--port={self.port}", "--log-level=SEVERE"]

    def environment(self) -> dict[str, str]:
        return environment(HOME=str(self.profile))

    def __enter__(self) -> Browser:
        self.profile.mkdir()
        super().__enter__()
        options = {"binary": self.chromium, "args": [*ARGUMENTS, f"--user-data-dir={self.profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        try:
            begun = self.ask("/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self.stop()
            raise
        self.session = f"/session/{begun['sessionId']}"
        return self

    def __exit__(self, *_: object) -> None:
        # Chromium ends with its session, and would outlive its driver.
        with contextlib.suppress(BenchError):
            self.expect("DELETE", self.session)
        self.stop()
        shutil.rmtree(self.profile, ignore_errors=True)

    def ask(self, path: str, body: dict) -> object:
        """What the driver answers."""
        return json.loads(self.expect("POST", path, 200, json.dumps(body), JSON))["value"]

    def sign_in(self, server: Server, account: Account) -> None:
        """Brings a person's cookies to the server's pages."""
        self.visit(server, "/signin")
        for cookie in server.sign_in(account)["cookie"].split("; "):
            name, _, value = cookie.partition("=")
            self.ask(f"{self.session}/cookie", {"cookie": {"name": name, "value": value}})

    def visit(self, server: Server, path: str) -> None:
        """Opens a page, and waits until it is loaded."""
        self.ask(f"{self.session}/url", {"url": f"http://localhost:{server.port}{path}"})

    def load_all_anew(self, anew: bool) -> None:
        """Whether, from here on, what was loaded once is loaded again."""
        asked = {"cmd": "Network.setCacheDisabled", "params": {"cacheDisabled": anew}}
        self.ask(f"{self.session}/goog/cdp/execute", {"cmd": "Network.enable", "params": {}})
        self.ask(f"{self.session}/goog/cdp/execute", asked)

    def first_paint_ms(self, server: Server, path: str) -> float:
        """Opens a page, and tells how long it took until something of it was seen."""
        self.visit(server, path)
        here = json.loads(self.expect("GET", f"{self.session}/url"))["value"]
        if urllib.parse.urlsplit(here).path != urllib.parse.urlsplit(path).path:
            raise BenchError(f"{path} led to {here}")
        return float(self.ask(f"{self.session}/execute/async", {"script": PAINTED, "args": []}))


def program(name: str) -> str:
    """The path of a program, or how to get it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/bin")
    if found is None:
        raise NotHere(f"{name} is missing; run: scripts/setup test")
    return found
