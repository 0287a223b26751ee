"""What notebooks show beside figures: banners, tables, sentences, the data behind a figure.

Everything here shows in two ways: as HTML in Jupyter, and as MyST Markdown in the book, where
tables are numbered and can be referred to.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import duration
from rxrx_lib.study.provenance import code_version, hardware
from rxrx_lib.study.results import code_words


@dataclass(frozen=True)
class Shown:
    """Something to display: ``myst`` in the book, ``page`` (HTML) in Jupyter."""

    myst: str
    page: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/markdown": self.myst, "text/html": self.page, "text/plain": self.myst}


@dataclass(frozen=True)
class Widget:
    """A piece of HTML with its script: the same in the book and in Jupyter."""

    page: str
    instead: str
    """What it is, where no HTML can be shown."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.page, "text/plain": self.instead}


def figures_as_svg() -> None:
    """Let this notebook's figures be drawn as SVG: sharp at any width, and small."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]  # it has no annotations


def banner(profile: Profile, results: pd.DataFrame) -> Shown:
    """Say in one line what made the numbers of this page: profile, data, code, hardware, time.

    Parameters
    ----------
    profile
        The profile of the page.
    results
        The runs that the page rests on; none under a profile that cannot have them.
    """
    here = code_words(code_version())
    if results.empty:
        return _banner(profile, screen_description(profile), "no runs", here)
    code = _distinct(results["code"])
    return _banner(
        profile,
        screen_description(profile),
        f"{len(results)} runs, {duration(float(results['seconds'].sum()))} of training",
        code if code == here else f"runs by {code}; page by {here}",
        _distinct(results["hardware"]),
        _distinct(results["date"]),
    )


def screen_banner(profile: Profile, root: Path) -> Shown:
    """Say the same of a page that shows one screen and trains nothing."""
    return _banner(
        profile,
        screen_description(profile),
        f"screen {root.name}",
        code_words(code_version()),
        hardware("cpu"),
        f"{pd.Timestamp.now(tz='UTC'):%Y-%m-%d}",
    )


def code_banner(profile: Profile) -> Shown:
    """Say the same of a page that reads its numbers from the code: no data, nothing trained."""
    return _banner(
        profile,
        "no data, nothing trained",
        code_words(code_version()),
        f"{pd.Timestamp.now(tz='UTC'):%Y-%m-%d}",
        badge="READ FROM THE CODE",
    )


def _banner(profile: Profile, *parts: str, badge: str = "") -> Shown:
    line = " · ".join([f"profile {profile.name} ({profile.purpose})", *parts])
    badge = badge or data_badge(profile)
    return Shown(
        f":::{{div}} provenance\n<span class='simulated'>{badge}</span> {line}\n:::\n",
        f"<p><b>{badge}</b> {html.escape(line)}</p>",
    )


def _distinct(words: pd.Series[str]) -> str:
    return "; ".join(sorted(words.unique()))


def data_badge(profile: Profile) -> str:
    """Return the word that everything measured under a profile is marked with."""
    if profile.screen is not None:
        return "SIMULATED"
    return "RxRx1 CONTROLS" if profile.controls_downsample else "RxRx1"


def measured_on(profile: Profile) -> Shown:
    """Say what the numbers below were measured on, and what they may be compared in."""
    if profile.screen is None:
        line = f"What follows was measured by this code on the {screen_description(profile)}."
        if profile.controls_downsample:
            line += (
                " That is another task than the paper's, with fewer classes, smaller pictures and "
                "a smaller network: only the *direction* of a contrast can be compared."
            )
    else:
        line = (
            "What follows was measured on simulated screens. They are written in the release's "
            "own format and take the same path through the code, but they have fewer classes, "
            "smaller pictures and a smaller network. Only the *direction* of a contrast can be "
            "compared with the paper's, never a number."
        )
    return Shown(f"{line}\n", f"<p>{html.escape(line)}</p>")


def screen_description(profile: Profile) -> str:
    """Say which screens a profile uses: experiments, classes, chance, picture size."""
    screen = profile.screen
    if screen is None:
        return _release_description(profile)
    experiments = sum(train + test for _, train, test in screen.experiments)
    seeds = sorted({replicate.screen_seed for replicate in profile.replicates})
    screens = "screen" if len(seeds) == 1 else "screens"
    return (
        f"simulated {screens} {', '.join(map(str, seeds))} of {experiments} experiments, "
        f"{screen.classes} classes (1/K = {100 / screen.classes:.1f} %), "
        f"{screen.image_size} × {screen.image_size} pixels of {screen.pixel_size:g} release pixels"
    )


def _release_description(profile: Profile) -> str:
    side = profile.controls_downsample
    if not side:
        return "RxRx1 release, 51 experiments, 1,139 classes, 512 × 512 pixels"
    return (
        "positive controls and EMPTY of the RxRx1 release's 51 experiments, 31 classes (1/K = "
        f"3.2 %), {512 // side} × {512 // side} pixels of {side} release pixels"
    )


def table(frame: pd.DataFrame, *, caption: str, name: str, style: str = "") -> Shown:
    """Show a table with a number and a caption.

    Parameters
    ----------
    frame
        Words, ready to be printed; the column names are the head. A link is a MyST role, and
        ``[words]{.name}`` has a class.
    caption
        Above the table.
    name
        What other pages refer to it by.
    style
        A class for style sheet and scripts.
    """
    lines = [
        f":::{{table}} {caption}",
        f":name: {name}",
        *([f":class: {style}"] if style else []),
        "",
        *markdown_rows(frame),
        ":::",
        "",
    ]
    page = frame.map(_without_marks).to_html(index=False, escape=True, classes=style or None)
    return Shown("\n".join(lines), f"<p><b>{html.escape(caption)}</b></p>{page}")


def _without_marks(cell: object) -> str:
    """Return a cell's words alone, without MyST's marks for links and classes."""
    words = re.sub(r"\{ref\}`([^<`]+) <[^>]+>`", r"\1", str(cell))
    return re.sub(r"\[([^\]]+)\]\{\.[^}]+\}", r"\1", words)


def markdown_rows(frame: pd.DataFrame) -> list[str]:
    """Return a frame of words as the lines of a Markdown table."""
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.to_numpy().tolist()]
    return ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def sentences(lines: Sequence[str]) -> Shown:
    """Show generated sentences as a list."""
    page = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return Shown("\n".join(f"- {line}" for line in lines) + "\n", f"<ul>{page}</ul>")


def data_behind(frame: pd.DataFrame, file_name: str, behind: str = "figure") -> Shown:
    """Show the numbers behind a figure, folded, with a link that saves them as CSV.

    Parameters
    ----------
    frame
        The numbers.
    file_name
        What the CSV file is called.
    behind
        What they are behind, where it is no figure.
    """
    words = frame.map(_word)
    anchor = _csv_anchor(frame, file_name)
    myst = [
        f"::::{{dropdown}} The numbers behind the {behind}",
        f"Save as CSV: {anchor}",
        "",
        *markdown_rows(words),
        "::::",
        "",
    ]
    page = f"<details><summary>The numbers behind the {behind}</summary>{anchor}"
    return Shown("\n".join(myst), f"{page}{words.to_html(index=False)}</details>")


def csv_links(frames: Mapping[str, pd.DataFrame]) -> Shown:
    """Show links that save tables as CSV.

    Parameters
    ----------
    frames
        Name of a file to its numbers.
    """
    anchors = [_csv_anchor(frame, file_name) for file_name, frame in frames.items()]
    words = f"Save as CSV: {', '.join(anchors)}"
    return Shown(f"{words}\n", f"<p>{words}</p>")


def _csv_anchor(frame: pd.DataFrame, file_name: str) -> str:
    """Return a link that holds the whole file."""
    text = frame.to_csv(index=False, float_format="%.4g")
    link = f"data:text/csv;base64,{base64.b64encode(text.encode()).decode()}"
    return f'<a download="{file_name}" href="{link}">{file_name}</a>'


def _word(value: object) -> str:
    """Return a number with two digits; nothing for one that is absent."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.2f}"
    return str(value)
