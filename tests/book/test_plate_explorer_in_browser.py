"""The interactive plate map in a browser: pointing, keys, touch, hostile names, no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxrx_lib.study.plate_explorer import plate_explorer
from tests.book.test_book_in_browser import CHROMIUM, CHROMIUM_OPTIONS
from tests.data.screens import screen_table
from tests.study.test_plate_map import wells_of

HOSTILE = "</script><img src=x onerror=window.hit=1>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        folder = tmp_path_factory.mktemp("chromium")
        context = driver.chromium.launch_persistent_context(
            str(folder),
            executable_path=CHROMIUM,
            args=CHROMIUM_OPTIONS,
            has_touch=True,
            offline=True,
            viewport={"width": 390, "height": 900},
        )
        yield context
        context.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=[12.0, float("nan")], ids=["counted", "uncounted"])
def page(request: pytest.FixtureRequest, chromium: Any, tmp_path: Path) -> Iterator[Any]:
    table = screen_table({"HUVEC-01": "train", "HUVEC-02": "test"})
    swapped = {"B03": "B07", "B04": "C05"}  # in the second experiment, siRNAs stand elsewhere
    second = table["experiment"] == "HUVEC-02"
    table.loc[second, "well"] = table.loc[second, "well"].replace(swapped)
    table["sirna"] = table["sirna"].replace({"s0001": HOSTILE})
    wells = wells_of(table, request.param)
    file = tmp_path / "map.html"
    body = plate_explorer(wells, simulated=True).page
    file.write_text(f"<!doctype html><meta charset=utf-8><body>{body}", encoding="utf-8")
    shown = chromium.new_page()
    errors: list[str] = []
    requests: list[str] = []
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("request", lambda one: requests.append(one.url))
    shown.goto(file.as_uri())
    shown.counted = request.param == 12.0
    yield shown
    assert errors == []
    assert requests == [file.as_uri()]
    assert shown.evaluate("window.hit") is None
    assert shown.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    shown.close()


def name(page: Any) -> str:
    return str(page.locator(".details .name").text_content())


def place_of(page: Any, well: str) -> tuple[float, float]:
    """Return the middle of a well on the page."""
    cell = page.locator(f"[role=gridcell][aria-label^='{well},']")
    box = cell.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_it_opens_with_a_treatment_and_marked(page: Any) -> None:
    assert name(page) == "B04 · s0000"
    assert page.locator("svg .mark").text_content() == "SIMULATED"
    details = str(page.locator(".details").text_content())
    assert ("12 cells" if page.counted else "number of cells not known") in details
    options = page.locator("select").nth(2).locator("option").all_text_contents()
    assert ("number of cells" in options) == page.counted
    assert page.locator(".channel").count() == 6


def test_pointing_shows_a_well_and_leaving_returns_to_the_kept_one(page: Any) -> None:
    page.mouse.move(*place_of(page, "B03"))
    assert name(page) == "B03 · s1108"
    page.mouse.move(*place_of(page, "O23"))
    assert name(page) == "O23 · no picture"
    page.mouse.move(5, 5)
    assert name(page) == "B04 · s0000"
    page.mouse.click(*place_of(page, "B02"))
    page.mouse.move(5, 5)
    assert name(page) == "B02 · EMPTY"


def test_a_touch_takes_the_nearest_well(page: Any) -> None:
    x, y = place_of(page, "C02")
    page.touchscreen.tap(x, y)
    assert name(page) == "B02 · EMPTY"


def test_keys_move_between_wells_with_pictures(page: Any) -> None:
    page.locator("[role=gridcell][tabindex='0']").focus()
    visited = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "End"):
        page.keyboard.press(key)
        visited.append(name(page).split(" ")[0])
    assert visited == ["B02", "B03", "B04", "B04", "B03", "B04"]
    spoken = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert spoken.startswith("B04, s0000, treatment, ")
    assert "1 nuclei " in spoken
    assert page.locator("[role=gridcell][tabindex='0']").count() == 1


def test_another_experiment_follows_the_kept_sirna_to_its_place(page: Any) -> None:
    page.locator("select").nth(0).select_option(index=1)
    assert name(page) == "C05 · s0000"
    page.locator("[role=gridcell][tabindex='0']").focus()
    page.keyboard.press("ArrowUp")
    assert name(page) == "B07 · s1108"
    page.keyboard.press("ArrowDown")
    assert name(page) == "C05 · s0000"


def test_another_plate_keeps_a_control_and_shows_names_as_text(page: Any) -> None:
    page.mouse.click(*place_of(page, "B03"))
    page.locator("select").nth(1).select_option("2")
    assert name(page) == "B03 · s1108"
    page.mouse.click(*place_of(page, "B04"))
    assert name(page) == f"B04 · {HOSTILE}"


def test_intensity_colours_wells_and_names_the_ends_of_its_scale(page: Any) -> None:
    before = page.locator(".well").first.evaluate("node => getComputedStyle(node).fill")
    page.locator("select").nth(2).select_option(label="intensity: 1 nuclei")
    after = page.locator(".plate > svg .well").first.evaluate("n => getComputedStyle(n).fill")
    assert before != after
    legend = str(page.locator(".legend").text_content())
    assert "grey levels" in legend
    assert "2 experiments" in legend
