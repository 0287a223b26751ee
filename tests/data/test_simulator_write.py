from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rxrx_lib.data import metadata, png_tree
from rxrx_lib.data.simulator import ScreenSpec, Site, draw_truth, layout, render_site, simulate
from rxrx_lib.data.simulator import write as writing

TINY = ScreenSpec(
    seed=1,
    image_size=16,
    experiments=(("HUVEC", 1, 0), ("U2OS", 0, 1)),
    treatments_per_plate=1,
    positive_controls=0,
    sites=1,
)


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_files_hold_the_table_the_pictures_and_the_truth(tmp_path: Path) -> None:
    root = simulate(TINY, tmp_path / "screen")
    table = metadata.load(root)
    truth = draw_truth(TINY)
    assert table.equals(layout(TINY))
    for path, row in zip(png_tree.site_paths(table, root), table.to_dict("records"), strict=True):
        picture = render_site(truth, Site(**{name: row[name] for name in Site._fields}))
        for channel in png_tree.CHANNELS:
            with Image.open(png_tree.channel_path(path, channel)) as png:
                assert png.mode == "L"
                np.testing.assert_array_equal(np.asarray(png), picture[channel - 1])
    told = json.loads((root / "truth.json").read_text())
    assert list(told["cells"]) == list(table["site_id"])
    assert {name: told[name] for name in truth.to_json()} == json.loads(json.dumps(truth.to_json()))
    assert len(tree(root)) == 6 * len(table) + 2


def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    one = simulate(TINY, tmp_path / "one", workers=1)
    two = simulate(TINY, tmp_path / "two", workers=2)
    assert tree(one) == tree(two)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "screen").mkdir()
    root = simulate(TINY, tmp_path / "screen")
    assert (root / "metadata.csv").exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_an_occupied_target_is_refused_and_kept(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "screen"
    if kind == "folder":
        root.mkdir()
        (root / "mine").write_text("mine")
    else:
        root.write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"screen exists already .*; name a folder"):
        simulate(TINY, root)
    assert tree(tmp_path) == before


def test_a_link_stands_for_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "absent"):
        (tmp_path / f"link to {folder}").symlink_to(tmp_path / folder)
        root = simulate(TINY, tmp_path / f"link to {folder}")
        assert root.is_symlink()
        assert (tmp_path / folder / "metadata.csv").is_file()
        assert len(metadata.load(root)) == len(layout(TINY))


@pytest.mark.parametrize("name", [".", "../here"])
def test_the_current_folder_is_refused_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    expected = r"/here is the current folder or a mount point, .*; name a folder .*/here/screen$"
    with pytest.raises(ValueError, match=expected):
        simulate(TINY, name)
    assert tree(tmp_path) == {}


def test_a_mount_point_is_refused_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == root)
    with pytest.raises(ValueError, match="volume is the current folder or a mount point"):
        simulate(TINY, root)
    assert list(tmp_path.iterdir()) == [root]


def test_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers is 0; expected 1 or more"):
        simulate(TINY, tmp_path / "screen", workers=0)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    render, rendered = writing.render_cells, []

    def fail_later(*arguments: object) -> object:
        rendered.append(arguments)
        if len(rendered) == 5:
            raise error
        return render(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "render_cells", fail_later)
    with pytest.raises(type(error)):
        simulate(TINY, tmp_path / "screen")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_worker_leaves_nothing_behind(tmp_path: Path) -> None:
    """The second plate's folder cannot be made: a file stands in its place."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rxrx_lib.data import metadata\n"
        "from rxrx_lib.data.simulator import simulate\n"
        "from tests.data.test_simulator_write import TINY\n"
        "def write(table, root, kept=metadata.write):\n"
        "    kept(table, root)\n"
        "    (Path(root) / 'images' / 'SIM-HUVEC-01').mkdir(parents=True)\n"
        "    (Path(root) / 'images' / 'SIM-HUVEC-01' / 'Plate2').write_text('')\n"
        "if __name__ == '__main__':\n"
        "    metadata.write = write\n"
        "    simulate(TINY, sys.argv[1], workers=2)\n"
    )
    here = Path(__file__).parents[2]
    target = tmp_path / "out" / "screen"
    program = tmp_path / "program.py"
    program.write_text(script)
    done = subprocess.run(
        [sys.executable, str(program), str(target)],
        capture_output=True,
        text=True,
        check=False,
        cwd=here,
        env={"PYTHONPATH": str(here), "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode != 0
    assert "FileExistsError" in done.stderr
    assert list(target.parent.iterdir()) == []
