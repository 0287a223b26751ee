"""Archives as they may come: huge, hostile, damaged."""

from __future__ import annotations

import contextlib
import io
import stat
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rxrx_lib.data.download import (
    ArchiveError,
    Network,
    download,
    plan_download,
    remote_file,
    remote_zip,
)
from rxrx_lib.data.download.remote_file import RangeReader, RemoteFile
from rxrx_lib.data.download.remote_zip import list_members
from rxrx_lib.data.download.unpacking import DamagedMember, spans, unpack
from tests.data.range_server import serving, write_release

URL = "https://example.org/rxrx1-images.zip"
NETWORK = Network(connections=2, timeout=5, attempts=1, first_pause=0)
PLAIN = {"rxrx1/images/A/1.png": bytes(range(200)) * 20, "rxrx1/images/A/2.png": b"second" * 99}
Change = Callable[[zipfile.ZipInfo], None]


def zipped(
    contents: dict[str, bytes],
    change: Change = lambda info: None,
    method: int = zipfile.ZIP_DEFLATED,
    *,
    zip64: bool = False,
    comment: bytes = b"",
) -> bytes:
    """Return an archive; `change` edits its directory's entries, not the members' own headers."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.comment = comment
        for name, data in contents.items():
            info = zipfile.ZipInfo()
            info.filename, info.compress_type = name, method  # as it is: ZipInfo cuts at NUL
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(data)
        for info in archive.filelist:
            change(info)
    return target.getvalue()


def unpack_all(content: bytes, root: Path) -> list[str]:
    """Unpack every member of an archive, and return what is wrong with those that are damaged."""
    file = RemoteFile(URL, len(content), "", NETWORK, content)
    open_range = partial(
        RangeReader,
        file,
        session=requests.Session(),
        stopped=threading.Event(),
        arrived=lambda size: None,
    )
    damaged = []
    for span in spans(list_members(file, lambda path: True, open_range, lambda line: None)):
        reader = open_range(span.start, span.stop)
        for member in span.members:
            try:
                unpack(member, reader, root)
            except DamagedMember as error:
                damaged.append(str(error))
    return damaged


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def on_disk(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix("rxrx1/"): data for name, data in contents.items()}


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"PK" * 30_000])
def test_members_unpack_to_what_was_packed(
    tmp_path: Path, zip64: bool, method: int, comment: bytes
) -> None:
    contents = {**PLAIN, "rxrx1/empty": b"", "rxrx1/one": b"1"}
    assert unpack_all(zipped(contents, method=method, zip64=zip64, comment=comment), tmp_path) == []
    assert files(tmp_path) == on_disk(contents)


def test_folders_and_what_macos_adds_are_passed_over(tmp_path: Path) -> None:
    contents = {**PLAIN, "rxrx1/images/": b"", "__MACOSX/rxrx1/._metadata.csv": b"x"}
    assert unpack_all(zipped(contents), tmp_path) == []
    assert files(tmp_path) == on_disk(PLAIN)


def test_an_archive_of_more_than_4_gb_is_read_by_its_64_bit_offsets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    write_release(tmp_path)
    usual = tmp_path / "rxrx1-images.zip"
    with zipfile.ZipFile(usual) as archive:
        contents = {info: archive.read(info) for info in archive.infolist()}
    with usual.open("wb") as sparse:
        sparse.seek(5 * 2**30)  # a hole, which takes no room on disk
        with zipfile.ZipFile(sparse, "w") as archive:
            for info, data in contents.items():
                archive.writestr(info, data)
    with serving(tmp_path) as server:
        plan = plan_download(
            "controls", tmp_path / "new", base_url=server.url, network=NETWORK, write=print
        )
        assert all(span.start > 2**32 for span in plan.spans)
        download(plan, write=print)
        asked = server.asked("rxrx1-images.zip")
    assert asked < 2**20
    came = files(tmp_path / "new" / "images")
    assert len(came) == plan.files > 0
    assert came.items() <= files(tmp_path / "rxrx1" / "images").items()


@pytest.mark.parametrize(
    "name",
    [
        "../rxrx1/x",
        "rxrx1/../../x",
        "rxrx1/a/..",
        "/rxrx1/x",
        "/etc/passwd",
        "//server/x",
        "rxrx1//x",
        "rxrx1/./x",
        "C:/rxrx1/x",
        "rxrx1/C:x",
        "rxrx1\\..\\x",
        "rxrx1/a\\x",
        "rxrx1/a\nx",
        "rxrx1/x\x00.png",
        "\x00",
    ],
)
def test_a_name_that_could_lead_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="has a name that could lead out of the folder") as error:
        unpack_all(zipped({**PLAIN, name: b"x"}), tmp_path / "new")
    assert str(error.value).startswith(f"{URL}: its member {name!r} ")
    assert not (tmp_path / "new").exists()


def entry(**changes: int | str) -> Change:
    """Change the last member's entry in the directory."""

    def change(info: zipfile.ZipInfo) -> None:
        if info.filename.endswith("2.png"):
            for name, value in changes.items():
                setattr(info, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (entry(external_attr=(stat.S_IFLNK | 0o777) << 16), "is a link or a special file"),
        (entry(external_attr=stat.S_IFCHR << 16), "is a link or a special file"),
        (entry(flag_bits=0x1), "is encrypted"),
        (entry(flag_bits=0x40), "is encrypted"),
        (entry(compress_type=zipfile.ZIP_LZMA), "has the compression method 14 .expected 0 or 8"),
        (entry(compress_type=9), "has the compression method 9 "),
        (entry(header_offset=2**31), "does not lie inside the archive"),
        (entry(header_offset=2**62), "does not lie inside the archive"),
        (entry(compress_size=10**6), "does not lie inside the archive"),
        (entry(header_offset=0), "overlaps another"),
        (entry(header_offset=3), "overlaps another"),
    ],
)
def test_a_member_that_is_no_plain_file_is_refused_before_anything_is_written(
    tmp_path: Path, change: Change, says: str
) -> None:
    with pytest.raises(ArchiveError, match=says):
        unpack_all(zipped(PLAIN, change), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["metadata.csv", "rxrx2/images/x.png", "rxrx1", "RXRX1/x"])
def test_a_member_outside_the_release_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match=f"its member '{name}' lies outside rxrx1/"):
        unpack_all(zipped({**PLAIN, name: b"x"}), tmp_path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    content = zipped(PLAIN, entry(filename="rxrx1/images/A/1.png"))
    with pytest.raises(ArchiveError, match="has two members of one name"):
        unpack_all(content, tmp_path)


def one_byte_late(info: zipfile.ZipInfo) -> None:
    if info.filename.endswith("2.png"):
        info.header_offset += 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (entry(CRC=5), "has another size or CRC than the archive says"),
        (entry(file_size=593), "has another size or CRC than the archive says"),
        (entry(file_size=595), "has another size or CRC than the archive says"),
        (entry(file_size=2**63), "has another size or CRC than the archive says"),
        (entry(compress_size=5), "has another size or CRC than the archive says"),
        (entry(compress_type=zipfile.ZIP_STORED), "has another size or CRC than the archive says"),
        (entry(filename="rxrx1/images/A/3.png"), "has another name in its own header"),
        (one_byte_late, "has no valid header"),
    ],
)
def test_a_member_unlike_its_entry_is_damaged_and_the_others_are_not(
    tmp_path: Path, change: Change, says: str
) -> None:
    (damage,) = unpack_all(zipped(PLAIN, change), tmp_path)
    assert says in damage
    first = "rxrx1/images/A/1.png"
    assert files(tmp_path) == on_disk({first: PLAIN[first]})


@pytest.mark.parametrize("content", [b"", b"<html>not here</html>" * 50, zipped(PLAIN)[:-1]])
def test_what_is_no_archive_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArchiveError, match=f"{URL} is no zip archive, or a damaged one"):
        unpack_all(content, tmp_path)


def test_a_directory_of_absurd_size_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_zip, "TAIL", 22)
    monkeypatch.setattr(remote_zip, "MOST_DIRECTORY", 100)
    with pytest.raises(ArchiveError, match=r"has a directory of 1\d\d bytes; expected at most 100"):
        unpack_all(zipped(PLAIN), tmp_path)


def test_a_member_that_grows_beyond_its_size_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_file, "CHUNK", 2000)  # the member comes in several
    bomb = zipped({"rxrx1/images/A/2.png": bytes(10**7)}, entry(file_size=10))
    tracemalloc.start()
    (damage,) = unpack_all(bomb, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "has another size or CRC" in damage
    assert peak < 10**6
    assert files(tmp_path) == {}


NAMES = st.one_of(
    st.sampled_from(sorted(PLAIN)),
    st.text(max_size=30),
    st.text("./\\:rx1A\x00\n", max_size=20).map("rxrx1/".__add__),
)


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=4), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_archive_is_refused_or_unpacked_rightly(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], zip64: bool
) -> None:
    folded = {name.casefold() for name in contents}
    assume(len(folded) == len(contents))  # on some file systems A is a
    assume(not any(other.startswith(f"{name}/") for name in folded for other in folded))
    outer = tmp_path_factory.mktemp("outer")
    root = outer / "screen"
    try:
        damaged = unpack_all(zipped(contents, zip64=zip64), root)
    except ArchiveError:
        assert files(outer) == {}
    else:
        assert damaged == []
        plain = {k: v for k, v in on_disk(contents).items() if k and not k.endswith("/")}
        assert files(root) == plain


@given(
    st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 40),
    st.booleans(),
)
@example([(0, 0)], 1, False)
@settings(max_examples=300, deadline=None)
def test_a_damaged_archive_never_gives_a_wrong_file(
    tmp_path_factory: pytest.TempPathFactory,
    edits: list[tuple[int, int]],
    cut: int,
    zip64: bool,
) -> None:
    content = bytearray(zipped(PLAIN, zip64=zip64))
    for position, value in edits:
        # Counted from the end, where the directory is: most of the rest is the members' data.
        content[-1 - position % len(content)] = value
    outer = tmp_path_factory.mktemp("outer")
    with contextlib.suppress(ArchiveError):
        unpack_all(bytes(content[: len(content) - cut]), outer / "screen")
    came = files(outer)
    assert set(came.values()) <= set(PLAIN.values())
    assert all(name.startswith("screen/") for name in came)
