"""The book's sources, without building it: configuration, contents, references, alt texts."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import jupytext
import pytest
import yaml
from pybtex.database import parse_file

from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.spec import NetworkSpec, SplitSpec
from rxrx_lib.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
GENERATED = {
    "chapters/simulator",
    "chapters/figure5",
    "chapters/table1",
    "chapters/figure7",
    "chapters/claims",
    "chapters/ledger",
    "chapters/study",
    "chapters/figure6",
    "chapters/table3",
    "chapters/figure10",
    "chapters/table2",
    "chapters/table4",
    "chapters/tables5_6",
    "chapters/channels",
    "chapters/negative_controls",
    "chapters/strength",
    "chapters/test_time_statistics",
    "chapters/rivals",
    "chapters/reversal_tradeoff",
    "chapters/embeddings",
    "chapters/screen",
    "chapters/batch_effect",
    "chapters/paper_cost",
    "chapters/status",
}
PAGES = sorted(p for p in BOOK.rglob("*.md") if p.relative_to(BOOK).parts[0] != "chapters")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
TEXTS = PAGES + NOTEBOOKS
WITHOUT_FRAME = {"index", "glossary", "bibliography"}

# Jupyter Book ignores a key that it does not know, so `execute_notebook: off` would execute.
CONFIG_KEYS = {
    "": "title author copyright logo exclude_patterns only_build_toc_files execute parse html "
    "latex bibtex_bibfiles launch_buttons repository sphinx",
    "execute": "execute_notebooks cache exclude_patterns timeout run_in_temp allow_errors "
    "stderr_output",
    "parse": "myst_enable_extensions myst_url_schemes myst_dmath_double_inline",
    "html": "favicon use_edit_page_button use_repository_button use_issues_button "
    "use_multitoc_numbering extra_footer home_page_in_navbar baseurl analytics comments "
    "announcement",
    "launch_buttons": "notebook_interface binderhub_url jupyterhub_url thebe colab_url "
    "deepnote_url",
    "sphinx": "extra_extensions local_extensions recursive_update config",
    "sphinx.config": "bibtex_default_style bibtex_reference_style extensions "
    "html_context html_extra_path html_show_copyright html_show_sphinx html_theme_options language "
    "mathjax_path nb_mime_priority_overrides nb_render_markdown_format numfig numfig_secnum_depth",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each_text(texts: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", texts, ids=name_of)


@pytest.fixture(scope="module")
def config() -> dict:
    return yaml.safe_load((ROOT / "_config.yml").read_text())


@pytest.fixture(scope="module")
def toc_entries() -> list[str]:
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *chapters]


@pytest.mark.parametrize("section", sorted(CONFIG_KEYS))
def test_every_configuration_key_is_one_that_jupyter_book_or_sphinx_knows(config, section):
    for name in filter(None, section.split(".")):
        config = config.get(name, {})
    assert set(config) <= set(CONFIG_KEYS[section].split())


def test_nothing_is_executed_while_the_book_is_built(config):
    assert config["execute"]["execute_notebooks"] == "off"


def test_files_named_in_the_configuration_exist(config):
    sphinx = config["sphinx"]["config"]
    named = [config["logo"], config["html"]["favicon"], *config["bibtex_bibfiles"]]
    assert [name for name in named if not (BOOK / name).is_file()] == []
    (extra,) = sphinx["html_extra_path"]
    mathjax = BOOK / extra / sphinx["mathjax_path"].removeprefix("../")
    assert mathjax.is_file()
    assert (mathjax.parent / "LICENSE").is_file()


def test_every_entry_of_the_contents_exists_or_is_generated(toc_entries):
    missing = {entry for entry in toc_entries if not (BOOK / f"{entry}.md").is_file()}
    assert missing <= GENERATED
    assert len(toc_entries) == len(set(toc_entries))


def test_every_page_is_in_the_contents(toc_entries):
    pages = {str(page.relative_to(BOOK).with_suffix("")) for page in PAGES}
    assert pages <= set(toc_entries)


def test_every_generated_chapter_but_the_status_page_has_a_notebook():
    chapters = {Path(entry).name for entry in GENERATED} - {"status"}
    assert chapters == {notebook.stem for notebook in NOTEBOOKS}


@each_text([page for page in PAGES if page.stem not in WITHOUT_FRAME])
def test_a_page_opens_with_facts_and_aims_and_closes_with_takeaways(path):
    text = path.read_text()
    assert re.match(r"# .+\n\n\{\.page-facts\}\n", text)
    for aim in ("**You will be able to** ", "**You need** ", "**Time** "):
        assert aim in text.split("\n## ")[0]
    takeaways = re.search(r"\{admonition\} Takeaways\n:class: takeaways\n\n(.*?)\n`", text, re.S)
    assert takeaways is not None
    assert 3 <= len(re.findall(r"^- ", takeaways[1], re.M)) <= 5
    assert text.index("\n## Further reading") > takeaways.start()


def cited_keys(text: str) -> set[str]:
    groups = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
    return {key.strip() for group in groups for key in group.split(",")}


def test_every_cited_work_is_in_the_bibliography_and_every_work_there_is_cited():
    known = set(parse_file(str(BOOK / "references.bib")).entries)
    cited = set().union(*(cited_keys(path.read_text()) for path in TEXTS))
    in_docstrings = {
        key
        for module in (ROOT / "rxrx_lib").rglob("*.py")
        for key in re.findall(r"\[([a-z]+\d{4}[a-z]\w*)\]_", module.read_text())
    }
    assert cited | in_docstrings == known


@pytest.mark.parametrize("profile", [p for p in PROFILES.values() if p.chapters is not None])
def test_a_book_of_some_chapters_refers_to_nothing_that_only_the_others_have(profile):
    chapters = [path for path in NOTEBOOKS if path.stem in profile.chapters]
    assert len(chapters) == len(profile.chapters)
    texts = [path.read_text() for path in PAGES + chapters]
    labels = r"^\s*(?:\* - )?\(([\w-]+)\)=|^\s*:?name: ([\w-]+)|name=\"([\w-]+)\""
    held = {name for text in texts for found in re.findall(labels, text, re.M) for name in found}
    asked = {
        re.sub(r"^.*<(.+)>$", r"\1", link, flags=re.S)
        for text in texts
        for link in re.findall(r"\{(?:num)?ref\}`([^`]+)`", text)
    }
    assert asked
    assert asked - held == set()


@each_text(TEXTS)
def test_every_glossary_term_that_is_linked_exists(path):
    glossary = (BOOK / "appendices" / "glossary.md").read_text()
    body = glossary.split("```{glossary}\n")[1].split("```")[0]
    terms = {line.lower() for line in body.splitlines() if line and not line.startswith(" ")}
    linked = re.findall(r"\{term\}`([^`]+)`", path.read_text())
    targets = {re.sub(r"^.*<(.+)>$", r"\1", link, flags=re.S).lower() for link in linked}
    assert targets <= terms


@each_text(TEXTS)
def test_every_picture_exists_and_says_in_words_what_it_shows(path):
    text = path.read_text()
    assert "<img" not in text
    assert re.findall(r"!\[[^\]]*\]\(", text) == []  # has no room for a caption: use a figure
    directives = re.findall(r"\{(?:image|figure)\} (\S+)\n((?::.*\n)*)", text)
    for file, options in directives:
        assert (path.parent / file).is_file()
        alt = re.search(r"^:alt: (.+)$", options, re.M)
        assert alt is not None
        assert len(alt[1]) > 60


@pytest.mark.parametrize("path", sorted(BOOK.rglob("*.svg")), ids=name_of)
def test_drawings_hold_nothing_but_shapes_and_a_label(path):
    text = path.read_text()
    assert "aria-label=" in text
    assert re.search(r"<script|href=|url\((?!#)|<image|@import", text) is None


@each_text([*TEXTS, *sorted(BOOK.glob("_static/*.css"))])
def test_no_script_style_sheet_or_font_comes_from_elsewhere(path):
    text = path.read_text()
    assert re.search(r"<script|<link|<iframe|@import|@font-face", text, re.I) is None
    assert re.search(r"url\(\s*['\"]?(https?:)?//", text, re.I) is None


def test_static_folder_holds_no_script_since_every_page_would_load_it():
    assert list((BOOK / "_static").rglob("*.js")) == []


def test_values_in_the_table_of_choices_are_the_librarys_defaults():
    page = (BOOK / "appendices" / "our_choices.md").read_text()
    fields = {
        each.name: each.default
        for settings in (Recipe, NetworkSpec, SplitSpec)
        for each in dataclasses.fields(settings)
    }
    printed = re.findall(r"`(\w+) = ([^`]+)`", page)
    assert {name for name, _ in printed} >= {"weight_decay", "reversal_coefficient", "group_size"}
    for name, value in printed:
        default = fields[name]
        assert value == default if isinstance(default, str) else ast.literal_eval(value) == default


@each_text(PAGES)
def test_modules_and_names_of_the_library_that_a_page_mentions_exist(path):
    mentioned = re.findall(r"`(rxrx_lib[./][\w./]*)`", path.read_text())
    for mention in mentioned:
        parts = mention.removesuffix(".py").replace("/", ".").split(".")
        if not (found := module_file(parts)):
            found = module_file(parts[:-1])
            assert found, mention
            assert re.search(rf"^(def|class) {parts[-1]}\b", found.read_text(), re.M), mention


def module_file(parts: list[str]) -> Path | None:
    base = ROOT.joinpath(*parts)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def test_citation_file_names_the_version_and_licence_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert citation["version"] == version[1]
    assert (ROOT / "LICENSE").read_text().startswith(f"{citation['license']} License")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_table_ends_its_cell_since_only_the_last_value_is_shown(notebook: Path) -> None:
    cells = jupytext.reads(notebook.read_text(encoding="utf-8"), fmt="md:myst").cells
    for cell in cells:
        statements = ast.parse(cell.source).body if cell.cell_type == "code" else []
        unseen = [ast.unparse(each) for each in statements[:-1] if isinstance(each, ast.Expr)]
        assert not [text for text in unseen if text.startswith("pages.table(")]


ALWAYS_SIMULATED = {"simulator", "negative_controls", "strength", "study"}
"""Pages that the release has no part in, or whose figure needs effects switched off."""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_page_that_the_release_can_fill_is_written_as_simulated(notebook: Path) -> None:
    said = re.findall(
        r"caption[:=] ?(?:>-)?\s*f?\"?(SIMULATED|\S*simulated screens)", notebook.read_text()
    )
    headings = re.findall(r"^#+ .*simulated screens?$", notebook.read_text(), re.M)
    assert notebook.stem in ALWAYS_SIMULATED or not said + headings
