"""The release from servers that break off, stall, lie or change; and downloads that are stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rxrx_lib.data.download import (
    ArchiveError,
    DownloadError,
    Network,
    RemoteError,
    Selection,
    download,
    http_request,
    plan_download,
    transfer,
    unpacking,
)
from tests.data.range_server import RangeServer, serving, write_release

ROOT = Path(__file__).parents[2]
NETWORK = Network(connections=3, timeout=5, attempts=3, first_pause=0)
ONE_BY_ONE = Network(connections=1, timeout=5, attempts=3, first_pause=0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    folder = tmp_path_factory.mktemp("release")
    write_release(folder)
    with serving(folder) as server:
        yield server


@pytest.fixture
def server(running: RangeServer, monkeypatch: pytest.MonkeyPatch) -> RangeServer:
    """The server, with good manners and small requests."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(unpacking, "MOST_SPAN", 5000)
    running.reset()
    return running


def silent(line: str) -> None:
    """Take a line of progress."""


def fetch(server: RangeServer, what: str, root: Path, network: Network = NETWORK) -> None:
    plan = plan_download(what, root, base_url=server.url, network=network, write=silent)
    download(plan, write=silent)


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def released(server: RangeServer) -> dict[str, bytes]:
    everything = files(server.folder / "rxrx1")
    return {name: data for name, data in everything.items() if name != "embeddings.csv"}


def test_broken_connections_are_gone_on_from_where_they_broke(
    server: RangeServer, tmp_path: Path
) -> None:
    server.reset(drops=[100, 0, 3000, 1, 0, 4000, 20])
    fetch(server, "images", tmp_path)
    assert files(tmp_path) == released(server)
    starts = [span[0] for path, span in server.requests if span and "images" in path]
    assert len(set(starts)) > len(starts) - 5  # only answers without a byte are asked for again


def test_an_answer_that_breaks_off_far_on_counts_as_a_first_break(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_request, "WORTH_A_RETRY", 100)
    server.reset(drops=[100] * 9)
    fetch(server, "embeddings", tmp_path, ONE_BY_ONE)
    assert server.manners.drops == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(
    server: RangeServer, tmp_path: Path, status: int
) -> None:
    server.reset(statuses=[status, status])
    fetch(server, "metadata", tmp_path)
    assert (tmp_path / "metadata.csv").is_file()


@pytest.mark.parametrize(
    ("manners", "says"),
    [
        ({"statuses": [503] * 99}, r"could not be read in 3 attempts \(the server answered 503 "),
        ({"drops": [0] * 99}, "could not be read in 3 attempts .*give the same command again"),
        ({"statuses": [404]}, "answered 404 Not Found; expected a zip archive there: check the ba"),
        ({"statuses": [403]}, "answered 403 Forbidden"),
        ({"headers": {"Content-Range": None}}, "answered the Content-Range ''; expected"),
        ({"headers": {"Content-Range": "bytes a-b/c"}}, "answered the Content-Range 'bytes a-b/c'"),
        ({"headers": {"Content-Range": "bytes 0-0/700"}}, "answered bytes 0-0; expected"),
        ({"location": {"/rxrx1-metadata.zip": "/rxrx1-metadata.zip"}}, "cannot be fetched"),
        ({"location": {"/rxrx1-metadata.zip": "nonsense://["}}, "cannot be fetched"),
    ],
)
def test_a_server_that_fails_for_good_is_one_sentence(
    server: RangeServer, tmp_path: Path, manners: dict[str, Any], says: str
) -> None:
    server.reset(**manners)
    with pytest.raises(RemoteError, match=says) as failure:
        fetch(server, "metadata", tmp_path / "new")
    assert str(failure.value).startswith(f"{server.url}/rxrx1-metadata.zip ")
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "new").exists()


def test_an_address_that_is_none_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for base_url in ("nowhere", "ftp://127.0.0.1/rxrx1", "http://", "http://[", "http://a:b/"):
        with pytest.raises(RemoteError, match=r"cannot be fetched .*use another base URL"):
            plan_download("metadata", tmp_path, base_url=base_url, network=NETWORK, write=silent)
    with serving(tmp_path) as gone:
        url = gone.url
    with pytest.raises(RemoteError, match=r"could not be read in 3 attempts \(Connection refused"):
        plan_download("metadata", tmp_path, base_url=url, network=NETWORK, write=silent)


def test_a_redirect_is_followed(server: RangeServer, tmp_path: Path) -> None:
    server.reset(location={"/old/rxrx1-metadata.zip": "/rxrx1-metadata.zip"})
    plan = plan_download(
        "metadata", tmp_path, base_url=f"{server.url}/old/", network=NETWORK, write=silent
    )
    download(plan, write=silent)
    assert (tmp_path / "metadata.csv").is_file()


def test_a_server_that_ignores_ranges_is_good_for_whole_tables_only(
    server: RangeServer, tmp_path: Path
) -> None:
    server.reset(ignores_ranges=True, drops=[50])
    said: list[str] = []
    for what in ("metadata", "embeddings"):
        plan = plan_download(
            what, tmp_path, base_url=server.url, network=NETWORK, write=said.append
        )
        download(plan, write=silent)
        assert plan.fetch_bytes == 0
    tree = server.folder / "rxrx1"
    for name in ("metadata.csv", "embeddings.csv"):
        assert (tmp_path / name).read_bytes() == (tree / name).read_bytes()
    assert "rxrx1-metadata.zip: the server sends no parts; fetching all of it (" in said[0]
    server.reset(ignores_ranges=True)
    with pytest.raises(RemoteError, match=r"its server ignores byte ranges.*use another base URL"):
        fetch(server, "controls", tmp_path)
    assert files(tmp_path).keys() == {"metadata.csv", "embeddings.csv"}


@pytest.mark.parametrize(
    "manners",
    [
        {"headers": {"ETag": '"another"'}},
        {"headers": {"ETag": None, "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT"}},
        {"headers": {"Content-Range": "bytes 0-99/5"}},
        {"ignores_ranges": True, "headers": {"ETag": '"another"'}},
        {"statuses": [416]},
    ],
)
def test_an_archive_that_changes_in_between_is_noticed(
    server: RangeServer, tmp_path: Path, manners: dict[str, Any]
) -> None:
    plan = plan_download("metadata", tmp_path, base_url=server.url, network=NETWORK, write=silent)
    server.reset(**manners)
    with pytest.raises(RemoteError, match="changed on the server while it was being read"):
        download(plan, write=silent)
    assert files(tmp_path) == {}


def test_a_server_that_stops_sending_ranges_is_noticed(server: RangeServer, tmp_path: Path) -> None:
    plan = plan_download("metadata", tmp_path, base_url=server.url, network=NETWORK, write=silent)
    server.reset(ignores_ranges=True)
    with pytest.raises(RemoteError, match="ignores byte ranges"):
        download(plan, write=silent)


def flipped(position: int) -> Callable[[int, bytes], bytes]:
    """Flip one bit of the file, whichever part of it is sent."""

    def change(start: int, body: bytes) -> bytes:
        sent = bytearray(body)
        if start <= position < start + len(sent):
            sent[position - start] ^= 1
        return bytes(sent)

    return change


def test_a_damaged_picture_is_left_out_and_all_others_arrive(
    server: RangeServer, tmp_path: Path
) -> None:
    plan = plan_download("images", tmp_path, base_url=server.url, network=NETWORK, write=silent)
    spoilt = plan.spans[3].members[1]
    for position in (spoilt.start, spoilt.start + 26, spoilt.start + 40, spoilt.stop - 20):
        server.reset(change=flipped(position))
        with pytest.raises(
            DownloadError, match=rf"sent 1 damaged file \({spoilt.path} .*, for one"
        ):
            fetch(server, "images", tmp_path)
        assert released(server).keys() - files(tmp_path).keys() == {spoilt.path}
    server.reset()
    fetch(server, "images", tmp_path)
    assert files(tmp_path) == released(server)


def test_a_server_that_sends_wrong_bytes_only_is_soon_given_up(
    server: RangeServer, tmp_path: Path
) -> None:
    plan = plan_download("images", tmp_path, base_url=server.url, network=ONE_BY_ONE, write=silent)
    server.reset(change=lambda start, body: bytes(len(body)))
    with pytest.raises(DownloadError, match=rf"sent {transfer.MOST_DAMAGED} damaged files"):
        download(plan, write=silent)
    assert files(tmp_path).keys() == {"metadata.csv"}
    assert len(server.requests) < len(plan.spans)


def test_a_stalled_connection_counts_as_broken(server: RangeServer, tmp_path: Path) -> None:
    plan = plan_download("metadata", tmp_path, base_url=server.url, network=NETWORK, write=silent)
    hasty = Network(connections=1, timeout=0.2, attempts=5, first_pause=0)
    plan = replace(plan, file=replace(plan.file, network=hasty))
    server.reset(stalls=[40])
    download(plan, write=silent)
    assert (tmp_path / "metadata.csv").is_file()
    (tmp_path / "metadata.csv").unlink()
    server.reset(stalls=[40] * 9)
    with pytest.raises(RemoteError, match=r"could not be read in 5 attempts \(timed out\)"):
        download(plan, write=silent)
    assert files(tmp_path) == {}


def test_the_pauses_between_attempts_grow_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped:
        def __init__(self) -> None:
            self.waits: list[float] = []

        def wait(self, seconds: float) -> None:
            self.waits.append(seconds)

    stopped = Stopped()
    network = Network(attempts=9, first_pause=0.5)
    patience = http_request.Patience("url", network, stopped)  # type: ignore[arg-type]
    for _ in range(8):
        patience.broke("reason")
    assert stopped.waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    with pytest.raises(RemoteError, match=r"url could not be read in 9 attempts \(reason\)"):
        patience.broke("reason")


@pytest.mark.parametrize("field", ["connections", "timeout", "attempts", "first_pause"])
def test_network_settings_are_checked(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is -1; expected at least"):
        Network(**{field: -1})


FAULT = st.one_of(
    st.builds(lambda size: {"drops": [size]}, st.integers(0, 6000)),
    st.builds(lambda status: {"statuses": [status]}, st.sampled_from([200, 206, 304, 404, 500])),
    st.builds(lambda position: {"change": flipped(position)}, st.integers(0, 100_000)),
    st.builds(
        lambda name, value: {"headers": {name: value}},
        st.sampled_from(["ETag", "Content-Range", "Content-Length", "Content-Encoding"]),
        st.one_of(st.none(), st.text("0123456789-/*bytesgzip ", max_size=20)),
    ),
    st.just({"ignores_ranges": True}),
)


@given(before=FAULT, after=FAULT)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_a_server_does_files_are_right_or_absent(
    server: RangeServer,
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    root = tmp_path_factory.mktemp("screen")
    hasty = Network(connections=2, timeout=0.2, attempts=2, first_pause=0)
    some = Selection(sirnas=("EMPTY",), plates=(2, 3))
    try:
        server.reset(**before)
        plan = plan_download(
            "images", root, base_url=server.url, selection=some, network=hasty, write=silent
        )
        server.reset(**after)
        download(plan, write=silent)
    except (RemoteError, DownloadError, ArchiveError):
        pass
    assert files(root).items() <= released(server).items()


PROGRAM = """
import sys
from rxrx_lib.data.download import Network, download, plan_download
network = Network(connections=2, timeout=1, attempts=1)
url, root = sys.argv[1:]
download(plan_download("images", root, base_url=url, network=network))
"""


def test_an_interrupt_stops_all_connections(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_download("images", tmp_path, base_url=server.url, network=NETWORK, write=silent)

    def interrupted(*futures: object, **how: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "wait", interrupted)
    server.reset()
    with pytest.raises(KeyboardInterrupt):
        download(plan, write=silent)
    assert len(server.requests) < len(plan.spans)
    assert files(tmp_path).items() < released(server).items()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_download_that_is_stopped_leaves_whole_files_and_can_be_gone_on_from(
    server: RangeServer, tmp_path: Path, sent: signal.Signals
) -> None:
    plan = plan_download("images", tmp_path, base_url=server.url, network=NETWORK, write=silent)
    members = [member for span in plan.spans for member in span.members]
    inside = members[200].start + 100 - members[0].start
    server.reset(stalls=[None, inside])  # the directory comes whole, the pictures do not
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts commands in the background makes them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    half = tmp_path / members[200].path
    patience = time.monotonic() + 60
    while not list(half.parent.glob(f".*.{half.name}")) and time.monotonic() < patience:
        time.sleep(0.01)
    process.send_signal(sent)
    _, errors = process.communicate()
    came = files(tmp_path)
    temporary = {name for name in came if Path(name).name.startswith(".")}
    assert len(temporary) == (sent is signal.SIGKILL)
    assert "KeyboardInterrupt" in errors or sent is signal.SIGKILL
    assert len(came) == 1 + 200 + len(temporary)
    assert {name: came[name] for name in came.keys() - temporary}.items() <= released(
        server
    ).items()
    server.reset()
    fetch(server, "images", tmp_path)
    assert files(tmp_path) == released(server)
