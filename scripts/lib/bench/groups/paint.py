"""When the same pages are first painted in a browser. The group `lists` has the project."""

from __future__ import annotations

from collections.abc import Iterator

from ..browser import Browser
from ..figures import Figure, figure
from ..server import Account, Server
from ..session import Bench
from .pages import QUERY

PAINT_MS = 500


def paints(bench: Bench, server: Server, account: Account, runs: int) -> Iterator[Figure]:
    """Each page in Chromium: with nothing kept from before, and with style, fonts and scripts kept."""
    project = f"/projects/{account.project}"
    what = f"{runs:,} runs, the page"
    with Browser(bench) as browser:
        browser.sign_in(server, account)
        for name, path in (
            ("filtered and sorted by results", f"{project}/runs?{QUERY}"),
            ("of the newest", f"{project}/runs"),
            ("of one run", f"{project}/runs/exp{runs // 2}"),
        ):
            first = loads(bench, browser, server, path, anew=True)
            yield figure(f"{what} {name}: first paint in Chromium", first, "ms", at_most=PAINT_MS)
            yield figure("  of a later visit", loads(bench, browser, server, path, anew=False), "ms")


def loads(bench: Bench, browser: Browser, server: Server, path: str, *, anew: bool) -> list[float]:
    """Milliseconds until each load is painted. The first does not count: it keeps what there is to keep."""
    browser.load_all_anew(anew)
    browser.first_paint_ms(server, path)
    return [browser.first_paint_ms(server, path) for _ in range(bench.repetitions.page_requests)]
