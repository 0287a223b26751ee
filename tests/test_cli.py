"""The `rxrx` command: exit codes, and what it says when something is wrong."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rxrx_lib import cli
from rxrx_lib.cli import studies
from rxrx_lib.data.images import open_images
from rxrx_lib.data.simulator import ScreenSpec
from rxrx_lib.models.backbones import build_backbone
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.catalogue import CATALOGUE, ON_REQUEST
from rxrx_lib.study.profiles import PROFILES
from tests.data.screens import png_path, write_screen
from tests.study import stalling
from tests.study.stalling import LONG, ONE, STALLED
from tests.study.tiny import PROFILE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny profile known to the command in this process."""
    monkeypatch.setattr("rxrx_lib.study.profiles.PROFILES", dict(PROFILES))
    monkeypatch.setattr("rxrx_lib.study.catalogue.CATALOGUE", dict(CATALOGUE))
    from rxrx_lib.study import catalogue, profiles

    stalling.register(profiles.PROFILES, catalogue.CATALOGUE)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("command", ["simulate DIR", "plan", "run", "choose", "report", "book"])
def test_an_unknown_profile_is_wrong_usage_and_lists_the_known_ones(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.replace("DIR", str(tmp_path / "new")).split()
    assert cli.main([*words, "--profile", "huge"]) == 2
    error = capsys.readouterr().err
    assert error == f"rxrx: profile is 'huge'; choose one of {', '.join(PROFILES)}.\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["plan", "run"])
def test_an_unknown_method_is_wrong_usage_and_lists_the_known_ones(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--methods", "magic"]) == 2
    error = capsys.readouterr().err
    assert error == f"rxrx: method is 'magic'; choose one of {', '.join(METHODS)}.\n"


def test_a_plan_lists_the_runs_of_the_methods_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "--profile", "smoke", "--methods", "adabn", "--runs", str(tmp_path)]
    assert cli.main([*words, "--only", "table1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[6] == "6 runs (absent: 6)"
    assert all(" adabn · " in line for line in lines[:6])
    assert lines[7:] == ["answers on second wells of 2 of these runs (absent: 2)"]


@pytest.mark.parametrize("command", ["plan", "run"])
def test_an_unknown_item_is_wrong_usage_and_lists_the_known_ones(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--profile", "smoke", "--only", "table1", "table9"]) == 2
    error = capsys.readouterr().err
    assert error == f"rxrx: item is 'table9'; choose one of {', '.join(CATALOGUE | ON_REQUEST)}.\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["check"],
        ["report", "--format", "pdf"],
        ["run", "--workers", "-1"],
        ["simulate", "new", "--workers", "0"],
        ["book", "--workers", "some"],
    ],
)
def test_what_is_no_command_is_wrong_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert "usage: rxrx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--image-size=3", "image_size is 3"),
        ("--seed=-1", "seed is -1"),
        ("--technical=11", "tech"),
    ],
)
def test_an_impossible_screen_is_wrong_usage(
    option: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["simulate", str(tmp_path / "new"), option]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there_is_wrong_usage_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--profile", "smoke", "--device", "banana", "--workers", "0"]
    assert cli.main([*words, "--data", str(tmp_path / "d"), "--runs", str(tmp_path / "r")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("rxrx: device is 'banana', which torch cannot use here (")
    assert error.endswith("expected auto, cpu or a device of this machine, such as cuda:0.\n")
    assert not list(tmp_path.iterdir())


def test_items_without_runs_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--profile", "paper", "--only", "negative_controls"]) == 2
    assert "profile 'paper' has no runs of these items" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "run", "choose", "report"])
def test_a_profile_without_runs_says_so_and_what_to_do(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--profile", "embeddings"]) == 2
    assert capsys.readouterr().err == (
        "rxrx: profile 'embeddings' has no runs, since it trains nothing; build its book with rxrx "
        "book --profile embeddings.\n"
    )


@pytest.mark.parametrize(("profile", "needed"), [("paper", "images"), ("controls", "controls")])
def test_a_book_on_a_release_that_is_not_there_says_how_to_get_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    profile: str,
    needed: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["book", "--profile", profile, "--workers", "0"]) == 1
    error = capsys.readouterr().err
    assert "the RxRx1 release is not there" in error
    assert f"rxrx download {tmp_path / 'data' / 'rxrx1'} --what {needed}" in error


def test_the_release_cannot_be_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["simulate", str(tmp_path / "new"), "--profile", "paper"]) == 2
    assert "profile 'paper' uses the release; choose a simulated one" in capsys.readouterr().err


def test_simulating_into_a_folder_that_is_not_empty_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    assert cli.main(["simulate", str(tmp_path), "--profile", "smoke"]) == 1
    assert f"{tmp_path} exists already and is not an empty folder" in capsys.readouterr().err
    assert tree(tmp_path) == {"thesis.txt": b"the only copy"}


def test_simulate_pack_check_and_splits_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import dataclasses

    screen = ScreenSpec(
        experiments=(("HUVEC", 1, 1),), treatments_per_plate=1, positive_controls=0, sites=2
    )
    small = dataclasses.replace(PROFILE, name="small", screen=screen)
    monkeypatch.setitem(PROFILES, "small", small)
    root, splits = tmp_path / "screen", tmp_path / "splits"
    simulate = ["simulate", str(root), "--profile", "small", "--image-size", "16", "--seed", "3"]
    assert cli.main([*simulate, "--pixel-size", "16"]) == 0
    assert cli.main(["pack", str(root)]) == 0
    assert cli.main(["check", str(root)]) == 0
    assert cli.main(["splits", str(root), "--out", str(splits)]) == 0
    out = capsys.readouterr().out
    assert f"{root}: no fault found" in out
    assert sorted(path.name for path in splits.iterdir()) == [
        "separated.csv",
        "stratified_by_site.csv",
        "stratified_by_well.csv",
    ]
    assert "wilds_official is not written: dataset marks no test experiment" in out
    assert "few_experiments_HUVEC is not written: n is 3; expected 1 to 1" in out
    assert "held_out_training is not written: dataset marks no cell type's second" in out


def test_pack_makes_a_small_copy_that_stands_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_screen(tmp_path / "screen", {"HUVEC-01": "train"}, image_size=8)
    small = tmp_path / "small"
    smaller = ["--downsample", "4", "--channels", "4", "1", "--codec", "zstd", "--workers", "2"]
    assert cli.main(["pack", str(tmp_path / "screen"), "--out", str(small), *smaller]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("192 bytes of pixels packed in ")
    assert lines[1:] == [str(small / "packed" / "manifest.json")]
    opened = open_images(small)
    assert (opened.channels, opened.image_size, opened.sites) == ((1, 4), 2, 24)
    assert cli.main(["check", str(small)]) == 0


@pytest.mark.parametrize(
    ("asked", "code", "came"),
    [
        (["--downsample", "3"], 1, "downsample is 3; expected a divisor of the pictures' 8 pixels"),
        (["--channels", "1", "7"], 2, "channels is (1, 7); expected some of 1 to 6"),
        (["--channels", "1", "1"], 2, "channels is (1, 1); expected some of 1 to 6, each once"),
        (["--codec", "gzip"], 2, "codec is 'gzip'; choose one of lz4, zstd"),
        (["--out", "."], 1, "holds pictures; expected a folder for a packed store alone"),
    ],
)
def test_pack_refuses_in_one_sentence_what_cannot_be_made(
    asked: list[str],
    code: int,
    came: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_screen(tmp_path, {"HUVEC-01": "train"}, image_size=8)
    (tmp_path / "elsewhere" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli.main(["pack", str(tmp_path), *asked]) == code
    assert came in capsys.readouterr().err
    assert not (tmp_path / "packed").exists()


def test_check_prints_one_line_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_screen(tmp_path)
    missing, broken = png_path(tmp_path, table, 3, 5), png_path(tmp_path, table, 9, 1)
    missing.unlink()
    broken.write_bytes(broken.read_bytes()[:40])
    before = tree(tmp_path)
    assert cli.main(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert str(missing) in lines[0]
    assert str(broken) in lines[1]
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", ["check", "pack"])
def test_a_folder_that_is_no_screen_is_at_fault(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, str(tmp_path / "nowhere")]) == 1
    told = capsys.readouterr()
    assert "metadata.csv" in told.out + told.err
    assert "Traceback" not in told.err


def test_plan_lists_every_run_with_its_state(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.open_run(tmp_path, LONG)
    runs.start(run, LONG)
    words = ["plan", "--profile", "tiny", "--only", "long", "one", "--runs", str(tmp_path)]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{LONG.id}  started    {LONG}",
        f"{ONE.id}  absent     {ONE}",
        "2 runs (absent: 1, started: 1)",
    ]


@pytest.mark.parametrize("form", studies.FORMATS)
def test_report_on_an_empty_store_prints_all_the_papers_numbers(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "--runs", str(tmp_path / "none"), "--format", form]) == 0
    out = capsys.readouterr().out
    count = {
        "csv": lambda: len(list(csv.DictReader(io.StringIO(out)))),
        "json": lambda: len(json.loads(out)),
        "md": lambda: len(out.splitlines()) - 2,
    }[form]()
    assert count == 73  # 72 accuracies and one difference
    assert not list(tmp_path.iterdir())


def test_a_run_without_its_data_is_at_fault_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--profile", "paper", "--workers", "0"]
    words += ["--data", str(tmp_path), "--runs", str(tmp_path)]
    assert cli.main(words) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"rxrx: {tmp_path}/rxrx1: the RxRx1 release is not there; download it")


def command_line(item: str, data: Path, store: Path, workers: int) -> list[str]:
    words = ["run", "--profile", "tiny", "--only", item, "--workers", str(workers)]
    words += ["--checkpoint-seconds", "0"]
    return [*words, "--data", str(data), "--runs", str(store)]


def assert_stopped_politely(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert error.splitlines()[-1] == (
        "rxrx: stopped. What is done is kept, and what was in training goes on from its last "
        "checkpoint: give the same command again."
    )


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.study.stalling", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal of its own, so to say
        preexec_fn=_heed_ctrl_c,
    )


def _heed_ctrl_c() -> None:
    """Undo what a shell does to commands that it starts in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_in_training_stops_politely_and_the_same_command_goes_on(
    tiny: None, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command_line("one", release, tmp_path, workers=0)
    process = start("--stall", *words)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == STALLED
    os.killpg(process.pid, signal.SIGINT)
    assert_stopped_politely(process)
    run = runs.open_run(tmp_path, ONE)
    assert run.state == "resumable"
    assert cli.main(["plan", *words[1:5], "--runs", str(tmp_path)]) == 0
    assert "resumable: 1" in capsys.readouterr().out
    assert cli.main(words) == 0
    assert capsys.readouterr().out == f"1 runs done in {tmp_path}\n"
    assert run.state == "done"
    lines = (run.result / "history.csv").read_text().splitlines()
    assert len(lines) == 1 + ONE.recipe.epochs


def test_ctrl_c_stops_worker_processes_too(tiny: None, release: Path, tmp_path: Path) -> None:
    words = command_line("long", release, tmp_path, workers=2)
    process = start(*words)
    while not list(tmp_path.glob("*/checkpoint.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    assert_stopped_politely(process)
    run = runs.open_run(tmp_path, LONG)
    assert run.state in ("resumable", "done")  # done if it ended before its worker was stopped
    assert cli.main(command_line("long", release, tmp_path, workers=0)) == 0
    assert run.state == "done"


def test_weights_of_a_file_are_what_runs_start_from_and_are_named_after(
    tiny: None, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.pth"
    torch.manual_seed(0)  # others end in embeddings that a probe's fit does not converge on
    torch.save(build_backbone("densenet_small", 3).maps.state_dict(), file)
    network = dataclasses.replace(ONE.network, weights_sha256=runs.file_sha256(file))
    spec = dataclasses.replace(ONE, network=network)
    store = tmp_path / "runs"
    words = [*command_line("one", release, store, workers=0), "--weights", str(file)]
    assert cli.main(words) == 0
    assert [path.name for path in store.iterdir()] == [spec.id]
    assert runs.open_run(store, spec).state == "done"
    capsys.readouterr()
    plan = ["plan", *words[1:5], "--runs", str(store)]
    assert cli.main([*plan, "--weights", str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"{spec.id}  done       {spec}\n")
    assert cli.main(plan) == 0
    assert capsys.readouterr().out.startswith(f"{ONE.id}  absent     {ONE}\n")


@pytest.mark.parametrize("command", ["plan", "run"])
def test_weights_that_are_not_there_are_wrong_usage(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "--profile", "smoke", "--runs", str(tmp_path / "runs")]
    assert cli.main([*words, "--weights", str(tmp_path / "w.pth")]) == 2
    assert capsys.readouterr().err == (
        f"rxrx: --weights is {tmp_path}/w.pth, which is no file; give a torchvision state_dict as "
        "torch.save writes it.\n"
    )
    assert not list(tmp_path.iterdir())


def test_weights_of_another_architecture_are_at_fault_before_training(
    tiny: None, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, file)
    words = [*command_line("one", release, tmp_path, workers=0), "--weights", str(file)]
    assert cli.main(words) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{file} holds no weights of densenet_small: it lacks 'conv0.weight' of sh" in error
