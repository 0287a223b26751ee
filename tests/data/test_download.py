"""The release, whole or in part, from a server that behaves."""

from __future__ import annotations

import itertools
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from rxrx_lib.data import images, metadata
from rxrx_lib.data.download import (
    ArchiveError,
    DownloadError,
    DownloadPlan,
    Network,
    Selection,
    SelectionError,
    download,
    plan_download,
    remote_zip,
    transfer,
    unpacking,
)
from tests.data.range_server import RangeServer, serving, write_release, zip_tree

NETWORK = Network(connections=3, timeout=5, attempts=3, first_pause=0)
PICTURE = "images/HUVEC-01/Plate1/B02_s1_w1.png"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    folder = tmp_path_factory.mktemp("release")
    write_release(folder)
    with serving(folder) as running:
        yield running


@pytest.fixture
def released(server: RangeServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree that the archives were made of, its server with good manners again."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.reset()
    return server.folder / "rxrx1"


def planned(server: RangeServer, what: str, root: Path, **settings: Any) -> DownloadPlan:
    return plan_download(
        what, root, base_url=server.url, network=NETWORK, write=lambda line: None, **settings
    )


def fetch(server: RangeServer, what: str, root: Path, **settings: Any) -> DownloadPlan:
    plan = planned(server, what, root, **settings)
    download(plan, write=lambda line: None)
    return plan


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def pictures(table: pd.DataFrame, channels: range = range(1, 7)) -> set[str]:
    return {
        f"images/{site.experiment}/Plate{site.plate}/{site.well}_s{site.site}_w{channel}.png"
        for site in table.itertuples()
        for channel in channels
    }


@pytest.mark.parametrize("name", ["metadata", "embeddings"])
def test_a_table_arrives_as_it_is_in_the_release(
    server: RangeServer, released: Path, tmp_path: Path, name: str
) -> None:
    plan = fetch(server, name, tmp_path / "new" / "screen")
    assert plan.files == 1
    # Embeddings alone would be of sites of which nothing is known.
    expected = {
        f"{each}.csv": (released / f"{each}.csv").read_bytes() for each in (name, "metadata")
    }
    assert files(tmp_path / "new" / "screen") == expected


def test_the_images_arrive_with_their_metadata_as_a_screen(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    plan = fetch(server, "images", tmp_path)
    assert plan.files == len(list(released.rglob("*.png")))
    assert plan.lacking == 0
    assert files(tmp_path) == {k: v for k, v in files(released).items() if k != "embeddings.csv"}
    assert images.open_images(tmp_path).read([0]).shape == (1, 6, 12, 12)


def test_the_controls_are_the_wells_of_the_control_classes(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    fetch(server, "controls", tmp_path)
    controls = metadata.load(released).query("sirna_id >= 1108")
    assert files(tmp_path).keys() == {"metadata.csv"} | pictures(controls)


def test_the_controls_hold_wells_that_are_empty_against_the_plan(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    table = metadata.load(released)
    unplanned = table["well_id"] == table.query("well_type == 'treatment'")["well_id"].iloc[0]
    table.loc[unplanned, ["sirna", "sirna_id"]] = ["EMPTY", 1138]
    metadata.write(table, tmp_path)
    fetch(server, "controls", tmp_path)
    assert pictures(table[unplanned]) <= files(tmp_path).keys()
    assert files(tmp_path).keys() == {"metadata.csv"} | pictures(table.query("sirna_id >= 1108"))


@pytest.mark.parametrize(
    ("selection", "query"),
    [
        ({"experiments": ("RPE-01",)}, "experiment == 'RPE-01'"),
        ({"cell_types": ("HUVEC",), "plates": (2, 3)}, "cell_type == 'HUVEC' and plate in [2, 3]"),
        ({"sirnas": ("EMPTY", "s0003")}, "sirna in ['EMPTY', 's0003']"),
        ({"sirnas": ("1138", "s0003")}, "sirna_id in [1138, 3]"),
        ({"well_types": ("treatment",), "sites": (2,)}, "well_type == 'treatment' and site == 2"),
    ],
)
def test_a_selection_brings_its_pictures_and_no_others(
    server: RangeServer, released: Path, tmp_path: Path, selection: dict[str, Any], query: str
) -> None:
    plan = fetch(server, "images", tmp_path, selection=Selection(**selection, channels=(1, 2)))
    expected = pictures(metadata.load(released).query(query), range(1, 3))
    assert files(tmp_path).keys() == {"metadata.csv"} | expected
    assert plan.files == len(expected)


def test_controls_can_be_narrowed_down(server: RangeServer, released: Path, tmp_path: Path) -> None:
    selection = Selection(experiments=("RPE-01",), well_types=("negative_control",))
    fetch(server, "controls", tmp_path, selection=selection)
    wanted = metadata.load(released).query("experiment == 'RPE-01' and sirna == 'EMPTY'")
    assert files(tmp_path).keys() == {"metadata.csv"} | pictures(wanted)


@pytest.mark.parametrize(
    ("what", "selection", "says"),
    [
        ("pictures", {}, "what is 'pictures'; expected one of metadata, embeddings, images, contr"),
        ("metadata", {"plates": (1,)}, "metadata comes whole"),
        ("controls", {"well_types": ("treatment",)}, r"no site has well_types \['treatment'\] tog"),
        ("controls", {"sirnas": ("s0003",)}, "sirnas names 's0003'; expected some of EMPTY, s1108"),
        ("images", {"experiments": ("HUVEC-1",)}, "'HUVEC-1'; expected some of HUVEC-01, RPE-01"),
        ("images", {"sirnas": ("s9",)}, "sirnas names 's9'; expected some of .*EMPTY"),
        (
            "images",
            {"experiments": ("RPE-01",), "cell_types": ("HUVEC",)},
            r"no site has experiments \['RPE-01'\], cell_types \['HUVEC'\] together",
        ),
    ],
)
def test_a_selection_of_nothing_known_is_one_sentence(
    server: RangeServer,
    released: Path,
    tmp_path: Path,
    what: str,
    selection: dict[str, Any],
    says: str,
) -> None:
    with pytest.raises(SelectionError, match=says):
        planned(server, what, tmp_path, selection=Selection(**selection))


def test_a_screen_without_controls_has_none_to_fetch(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    metadata.write(metadata.load(released).query("well_type == 'treatment'"), tmp_path)
    with pytest.raises(SelectionError, match="no site is there; expected at least one"):
        planned(server, "controls", tmp_path)


def test_a_plan_says_what_it_will_cost_and_writes_nothing(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    shutil.copy(released / "metadata.csv", tmp_path)
    plan = planned(server, "images", tmp_path)
    assert files(tmp_path).keys() == {"metadata.csv"}
    server.reset()
    text = str(plan)
    assert text.startswith(f"images: {plan.files} files to fetch from {server.url}/rxrx1-images.zi")
    assert "kB in 1 request, 1.2 MB on disk in" in text
    assert plan.disk_bytes == plan.files * 4096
    download(plan, write=lambda line: None)
    assert plan.fetch_bytes == server.asked("rxrx1-images.zip")


def test_a_second_download_fetches_only_what_is_missing_or_wrong(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    fetch(server, "images", tmp_path)
    complete = files(tmp_path)
    again = fetch(server, "images", tmp_path)
    assert (again.files, again.fetch_bytes) == (0, 0)
    assert len(again.present) == len(complete) - 1

    gone, short, other = sorted(tmp_path.rglob("*.png"))[5:8]
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    other.write_bytes(bytes(len(other.read_bytes())))
    assert fetch(server, "images", tmp_path).files == 3
    assert files(tmp_path) == complete


def test_what_a_killed_download_left_is_removed_and_nothing_else(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    folder = (tmp_path / PICTURE).parent
    folder.mkdir(parents=True)
    left = folder / f".{'0f' * 16}.B02_s1_w1.png"
    foreign = [folder / f".{'0f' * 16}.notes.txt", folder / ".B02_s1_w1.png"]
    for path in (left, *foreign):
        path.write_text("half")
    fetch(server, "images", tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in foreign)


def test_sound_metadata_of_another_screen_are_not_replaced_but_damaged_ones_are(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    theirs = metadata.load(released).query("experiment == 'RPE-01'")
    metadata.write(theirs, tmp_path)
    with pytest.raises(DownloadError, match=r"metadata\.csv is another than the release's"):
        planned(server, "metadata", tmp_path)
    text = (released / "metadata.csv").read_text()
    (tmp_path / "metadata.csv").write_text(text[:-20])
    fetch(server, "metadata", tmp_path)
    assert (tmp_path / "metadata.csv").read_text() == text


def test_neighbours_come_in_one_request_and_distant_members_in_another(
    server: RangeServer, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_GAP", 0)
    one_channel = planned(server, "images", tmp_path, selection=Selection(channels=(1,)))
    assert len(one_channel.spans) == one_channel.files
    monkeypatch.setattr(unpacking, "MOST_SPAN", 5000)
    everything = planned(server, "images", tmp_path)
    assert all(span.stop - span.start <= 5000 for span in everything.spans)
    assert sum(len(span.members) for span in everything.spans) == everything.files
    assert len(everything.spans) < everything.files / 3
    assert everything.fetch_bytes >= sum(
        member.compressed for span in everything.spans for member in span.members
    )


def test_a_connection_is_kept_for_all_of_its_requests(
    server: RangeServer, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_SPAN", 5000)
    plan = planned(server, "images", tmp_path)
    server.reset()
    download(plan, write=lambda line: None)
    assert len(server.requests) == len(plan.spans) > 10
    assert server.connections <= NETWORK.connections


def test_connections_work_at_the_same_time(
    server: RangeServer, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_SPAN", 5000)
    plan = planned(server, "images", tmp_path)
    together, number = threading.Barrier(NETWORK.connections), itertools.count()

    def answer(start: int, body: bytes) -> bytes:
        if next(number) < NETWORK.connections:
            together.wait(4)  # less than the client waits, so that a broken barrier is what is seen
        return body

    server.reset(change=answer)
    download(plan, write=lambda line: None)
    assert not together.broken


@pytest.mark.parametrize("name", ["../outside.png", "rxrx1/../../outside.png", "/outside.png"])
def test_an_archive_whose_members_lead_out_of_the_folder_is_refused_whole(
    server: RangeServer, released: Path, tmp_path: Path, name: str
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for archive in ("rxrx1-metadata.zip", "rxrx1-images.zip"):
        shutil.copy(server.folder / archive, mirror)
    with zipfile.ZipFile(mirror / "rxrx1-images.zip", "a") as hostile:
        hostile.writestr(name, b"x")
    root = tmp_path / "deep" / "screen"
    with (
        serving(mirror) as lying,
        pytest.raises(ArchiveError, match="could lead out of the folder"),
    ):
        fetch(lying, "images", root)
    assert files(tmp_path / "deep").keys() == {"screen/metadata.csv"}


def test_the_directory_takes_two_requests_of_bounded_size(
    server: RangeServer, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(released / "metadata.csv", tmp_path)
    monkeypatch.setattr(remote_zip, "TAIL", 100)
    said: list[str] = []
    plan_download("images", tmp_path, base_url=server.url, network=NETWORK, write=said.append)
    (_, first), (_, tail), (_, directory) = server.requests
    assert server.connections == 1
    size = (server.folder / "rxrx1-images.zip").stat().st_size
    assert first == (0, 1)
    assert tail == (size - 100, size)
    assert directory is not None
    assert directory[1] == size - 22
    assert said == ["Reading the list of the archive's files (0 MB) …"]


def test_too_little_room_is_noticed_before_anything_is_fetched(
    server: RangeServer, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(server, "metadata", tmp_path / "screen")
    server.reset()
    monkeypatch.setattr(
        transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=transfer.MARGIN)
    )
    with pytest.raises(
        DownloadError, match=r"screen has 268\.4 MB of free disk; expected at least"
    ):
        download(plan)
    assert server.requests == []
    assert files(tmp_path) == {}


def test_a_folder_that_cannot_be_one_is_refused(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="file is a file; expected a folder"):
        planned(server, "metadata", tmp_path / "file")
    shutil.copy(released / "metadata.csv", tmp_path)
    (tmp_path / "images").write_text("")
    with pytest.raises(DownloadError, match=r"B02_s1_w1.png cannot be written .*choose a folder"):
        fetch(server, "images", tmp_path)


def test_pictures_that_the_archive_lacks_are_counted(
    server: RangeServer, released: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    shutil.copy(server.folder / "rxrx1-metadata.zip", mirror)
    zip_tree(mirror / "rxrx1-images.zip", released, [PICTURE, "metadata.csv"])
    with serving(mirror) as partial:
        plan = fetch(partial, "images", tmp_path / "screen")
        assert plan.files == 1
        assert f"; {plan.lacking} pictures of metadata.csv not in the archive." in str(plan)
        zip_tree(mirror / "rxrx1-images.zip", released, ["metadata.csv"])
        with pytest.raises(
            ArchiveError, match=r"holds none of the pictures that .*metadata.csv na"
        ):
            planned(partial, "images", tmp_path / "screen")
        shutil.copy(mirror / "rxrx1-metadata.zip", mirror / "rxrx1-dl-embeddings.zip")
        with pytest.raises(ArchiveError, match=r"holds no rxrx1/embeddings\.csv; expected"):
            planned(partial, "embeddings", tmp_path / "screen")
