"""The built book as a browser shows it: wide and narrow, light and dark, from the file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HTML = Path(os.environ.get("BOOK_HTML", ROOT / "_build" / "html")).resolve()
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
PAGES = sorted(
    path
    for source in HTML.glob("_sources/**/*")
    if source.is_file()
    and (path := HTML / source.relative_to(HTML / "_sources").with_suffix(".html")).is_file()
)
VIEWS = [(width, theme) for width in (390, 1280) for theme in ("light", "dark")]
CHROMIUM_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

TEXT_OUTSIDE_CODE_AND_FORMULAS = """() => {
  const article = document.querySelector("article").cloneNode(true);
  article.querySelectorAll("pre, code, mjx-container, script").forEach(node => node.remove());
  return article.textContent;
}"""
FORMULAS_LEFT_RAW = """() => [...document.querySelectorAll("article .math")]
  .filter(node => !node.querySelector("mjx-container svg")
    || node.querySelector("[data-mml-node=merror]"))
  .map(node => node.textContent)"""
ICON_FONT_LOADED = """async () => {
  await document.fonts.ready;
  return [...document.fonts].some(font => font.status === "loaded");
}"""
PICTURES_AT_FAULT = """() => [...document.querySelectorAll("article img")]
  .filter(image => image.naturalWidth === 0 || !image.alt)
  .map(image => image.getAttribute("src"))"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(
        not PAGES and "BOOK_HTML" not in os.environ,
        reason=f"no built book in {HTML}; run `make book` first",
    ),
]


def test_there_are_pages_to_look_at() -> None:
    assert PAGES, f"BOOK_HTML names {HTML}, which holds no built book"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("chromium")),
            executable_path=CHROMIUM,
            args=CHROMIUM_OPTIONS,
        )
        yield context
        context.close()


class View:
    """One page at one width in one theme, and what happened while it loaded."""

    def __init__(self, chromium: Any, path: Path, width: int, theme: str) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page = chromium.new_page()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}');"
        )
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri(), wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")

    def _note_console(self, message: Any) -> None:
        # The theme's preload hints for its icon font cannot work from the file system; the font
        # itself then loads by its style sheet, which the test checks.
        hint = message.text.startswith("Access to font at 'file:")
        hint = hint or message.location["url"].endswith(".woff2")
        if message.type == "error" and not hint:
            self.errors.append(message.text)


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def view(request: pytest.FixtureRequest, chromium: Any, path: Path) -> Iterator[View]:
    shown = View(chromium, path, *request.param)
    assert shown.page.evaluate("document.documentElement.dataset.theme") == request.param[1]
    yield shown
    shown.page.close()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(HTML)))
def test_page_fits_its_width_loads_only_files_and_renders_pictures_and_formulas(view):
    page = view.page
    assert view.errors == []
    assert [url for url in view.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate(ICON_FONT_LOADED)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.evaluate(PICTURES_AT_FAULT) == []
    assert page.evaluate(FORMULAS_LEFT_RAW) == []
    text = page.evaluate(TEXT_OUTSIDE_CODE_AND_FORMULAS)
    assert "$" not in text
    assert "\\(" not in text
