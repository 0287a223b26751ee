"""The box that searches the ledger, in a browser: fewer rows, a count that is said, no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxrx_lib.study import pages
from rxrx_lib.study.ledger_page import measured_table, paper_table, search_box
from rxrx_lib.study.profiles import PROFILES
from tests.book.test_book_in_browser import CHROMIUM, CHROMIUM_OPTIONS, HTML
from tests.study.test_ledger_page import FOUND

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
BOOK_PAGE = HTML / "chapters" / "ledger.html"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        yield started


def opened(driver: Any, folder: Path, file: Path, *, scripts: bool = True) -> Any:
    context = driver.chromium.launch_persistent_context(
        str(folder),
        executable_path=CHROMIUM,
        args=CHROMIUM_OPTIONS,
        offline=True,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(file.as_uri())
    return page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page as Jupyter shows it: the box first, then the two tables."""
    shown = (
        search_box(["of the paper", "measured"]).page,
        pages.table(paper_table({}), caption="a", name="a", style="ledger").page,
        pages.table(
            measured_table(FOUND, PROFILES["demo"]), caption="b", name="b", style="ledger"
        ).page,
    )
    file = tmp_path_factory.mktemp("ledger") / "ledger.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{''.join(shown)}", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def open_page(driver: Any, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("chromium")
    page = opened(driver, folder, file)
    yield page
    assert page.errors == []
    page.context.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def page(open_page: Any) -> Any:
    open_page.get_by_label("Search both tables").fill("")
    return open_page


def type_words(page: Any, words: str) -> str:
    """Type into the box as a reader does, and return what is announced."""
    page.get_by_label("Search both tables").focus()
    page.keyboard.type(words)
    return str(page.get_by_role("status").text_content())


def shown(page: Any) -> list[str]:
    rows = page.locator("table.ledger tbody tr")
    return [str(row.text_content()) for row in rows.all() if row.is_visible()]


def test_a_typed_word_leaves_its_rows_and_their_count_is_announced(page: Any) -> None:
    assert len(shown(page)) == 72 + 3
    assert type_words(page, "u2os") == "Shown: 8 of 72 of the paper, 0 of 3 measured."
    assert len(shown(page)) == 8
    assert all("U2OS" in row for row in shown(page))
    assert page.get_by_role("status").get_attribute("aria-live") == "polite"


def test_all_words_have_to_be_there_in_any_order(page: Any) -> None:
    type_words(page, 'hepg2 reversal "table 4" gradient')
    assert len(shown(page)) == 2
    assert all("HepG2" in row and "radient reversal" in row for row in shown(page))


def test_quotes_keep_words_together(page: Any) -> None:
    type_words(page, '"table 5"')
    assert len(shown(page)) == 6
    assert all("Table 5" in row for row in shown(page))


def test_a_minus_sign_and_a_hyphen_are_the_same(page: Any) -> None:
    type_words(page, '"- cutmix"')
    assert len(shown(page)) == 4


def test_nothing_found_is_said_and_escape_brings_all_rows_back(page: Any) -> None:
    assert type_words(page, "no such row") == "Shown: 0 of 72 of the paper, 0 of 3 measured."
    assert shown(page) == []
    page.keyboard.press("Escape")
    assert page.get_by_role("status").text_content() == (
        "Shown: 72 of 72 of the paper, 3 of 3 measured."
    )
    assert len(shown(page)) == 75


def test_without_scripts_the_tables_are_whole_and_no_dead_box_is_shown(
    driver: Any, file: Path, tmp_path: Path
) -> None:
    page = opened(driver, tmp_path, file, scripts=False)
    assert not page.locator("#ledger-words").is_visible()
    assert len(shown(page)) == 75
    page.context.close()


@pytest.mark.skipif(not BOOK_PAGE.exists(), reason=f"no {BOOK_PAGE}; run `make book` first")
def test_the_box_of_the_built_book_searches_its_tables(driver: Any, tmp_path: Path) -> None:
    page = opened(driver, tmp_path, BOOK_PAGE)
    assert len(shown(page)) > 72
    announced = type_words(page, '"erratum 9"')
    assert announced.startswith("Shown: 12 of 72 numbers of the paper, 0 of ")
    page.locator("table.ledger a", has_text="erratum 9").first.click()
    assert page.url.endswith("appendices/errata.html#erratum-9")
    assert page.errors == []
    page.context.close()
