"""The packed store is made whole or not at all, goes on after a kill, and says what it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rxrx_lib.data import atomic, images, metadata, packed_parts, packed_store, png_tree
from rxrx_lib.data.check import check
from rxrx_lib.data.simulator import ScreenSpec, simulate
from tests.data.screens import (
    SIDE,
    TWO_EXPERIMENTS,
    as_kaggle,
    as_wilds,
    png_path,
    write_screen,
)

SITES_A_PART = 7


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_parts, "MOST_BYTES_OF_A_PART", SITES_A_PART * 6 * SIDE**2)


@pytest.fixture(scope="module")
def packed_part(screen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one part of a store, with a copy of it beside the store."""
    root = tmp_path_factory.mktemp("packed part")
    images.pack(screen, out=root)
    (path,) = (root / "packed").glob("*.blosc2")
    return Path(shutil.copy(path, root))


def part_files(root: Path) -> dict[str, tuple[int, int]]:
    """Return what changes when a part is written anew."""
    found = {path.name: path.stat() for path in (root / "packed").glob("0*.blosc2")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def all_pixels(root: Path) -> np.ndarray:
    opened = images.open_images(root)
    assert isinstance(opened, images.PackedImages)
    return opened.read(range(opened.sites))


def invert(path: Path) -> None:
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)


def test_the_manifest_describes_the_store(own: Path, pixels: np.ndarray) -> None:
    manifest = images.pack(own)
    (part,) = (own / "packed").glob("*.blosc2")
    sites = b"".join(xxhash.xxh3_128_digest(site.tobytes()) for site in pixels)
    assert json.loads(manifest.read_text()) == {
        "format": 3,
        "shape": list(pixels.shape),
        "channels": [1, 2, 3, 4, 5, 6],
        "downsample": 1,
        "codec": "blosc2 LZ4 level 1 with bitshuffle",
        "source": {
            "variant": "rxrx.ai release",
            "sites": len(pixels),
            "channels": [1, 2, 3, 4, 5, 6],
            "image_size": SIDE,
        },
        "licence": "CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/): pictures "
        "of RxRx1, Recursion, https://www.rxrx.ai/rxrx1",
        "content_hash": f"xxh3-128:{xxhash.xxh3_128_hexdigest(sites)}",
        "metadata_sha256": sha256((own / "metadata.csv").read_bytes()).hexdigest(),
        "sites_a_part": len(pixels),
        "parts": [{"file": part.name, "bytes": part.stat().st_size}],
    }


@pytest.mark.parametrize(("variant", "make"), [("Kaggle", as_kaggle), ("RxRx1-WILDS", as_wilds)])
def test_the_manifest_names_the_published_variant(own: Path, variant: str, make: object) -> None:
    assert callable(make)
    make(own)
    described = json.loads(images.pack(own).read_text())
    assert described["source"]["variant"] == variant
    assert described["licence"].startswith("CC BY-NC-SA 4.0 ")


def test_a_simulated_screen_s_store_says_that_it_is_one_and_its_copy_keeps_the_truth(
    tmp_path: Path,
) -> None:
    spec = ScreenSpec(
        seed=0,
        image_size=16,
        pixel_size=16.0,
        experiments=(("HUVEC", 1, 1),),
        treatments_per_plate=1,
        positive_controls=0,
        sites=1,
    )
    simulate(spec, tmp_path / "screen")
    described = json.loads(images.pack(tmp_path / "screen", out=tmp_path / "copy").read_text())
    assert described["source"]["variant"] == "simulated"
    assert described["licence"] == "a simulated screen: no picture of RxRx1 is in it"
    truth = (tmp_path / "screen" / "truth.json").read_bytes()
    assert (tmp_path / "copy" / "truth.json").read_bytes() == truth


@pytest.mark.usefixtures("small_parts")
def test_the_store_is_the_same_to_the_byte_for_any_number_of_threads(
    own: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(own, tmp_path / "other"))
    images.pack(own)
    images.pack(other, workers=4)
    files = sorted(path.name for path in (own / "packed").iterdir())
    assert len(files) > 3
    for name in files:
        assert (own / "packed" / name).read_bytes() == (other / "packed" / name).read_bytes()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("codec", packed_parts.CODECS)
def test_rows_of_all_parts_are_read_in_any_order(own: Path, pixels: np.ndarray, codec: str) -> None:
    images.pack(own, codec=codec, workers=2)
    opened = images.open_images(own)

    @settings(max_examples=20, deadline=None)
    @given(
        st.lists(st.integers(0, len(pixels) - 1), max_size=9),
        st.none() | st.lists(st.integers(1, 6), min_size=1, max_size=6),
    )
    def holds(rows: list[int], channels: list[int] | None) -> None:
        places = list(range(6)) if channels is None else [channel - 1 for channel in channels]
        expected = pixels[np.array(rows, int)][:, places]
        np.testing.assert_array_equal(opened.read(rows, channels), expected)

    holds()
    assert len(part_files(own)) == -(-len(pixels) // SITES_A_PART)


def test_an_unknown_codec_is_refused(own: Path) -> None:
    with pytest.raises(ValueError, match="codec is 'gzip'; choose one of lz4, zstd"):
        images.pack(own, codec="gzip")


@pytest.mark.usefixtures("small_parts")
def test_many_threads_read_one_store(own: Path, pixels: np.ndarray) -> None:
    images.pack(own)
    opened = images.open_images(own)
    draws = [np.random.default_rng(seed).integers(0, len(pixels), 40) for seed in range(16)]
    with ThreadPoolExecutor(8) as threads:
        for rows, read in zip(draws, threads.map(opened.read, draws), strict=True):
            np.testing.assert_array_equal(read, pixels[rows])


@pytest.mark.usefixtures("small_parts")
def test_the_content_s_hash_is_the_same_for_pngs_and_for_any_store(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = images.open_images(own)
    expected = packed_store.content_hash(tree, workers=2)
    for codec, size in (("lz4", 3 * 6 * SIDE**2), ("zstd", 2**29)):
        monkeypatch.setattr(packed_parts, "MOST_BYTES_OF_A_PART", size)
        images.pack(own, codec=codec)
        opened = images.open_images(own)
        assert isinstance(opened, images.PackedImages)
        assert opened.content_hash == packed_store.content_hash(opened) == expected


def test_a_store_packed_before_there_were_parts_is_out_of_date(own: Path) -> None:
    images.pack(own)
    manifest = own / "packed" / "manifest.json"
    new = json.loads(manifest.read_text())
    kept = ("shape", "channels", "codec", "content_hash", "metadata_sha256")
    manifest.write_text(json.dumps({name: new[name] for name in kept}))
    (own / "packed" / "images.blosc2").write_bytes(b"older")
    with pytest.raises(images.ImageError, match=r"manifest\.json.*out of date.*: pack it again\.$"):
        images.open_images(own)
    (line,) = check(own)
    assert "out of date" in line
    images.pack(own)
    assert check(own) == []
    assert not (own / "packed" / "images.blosc2").exists()


@pytest.mark.parametrize("side", [1, 2, 4, 8])
@pytest.mark.parametrize("channels", [None, (1, 2, 4), (6,)])
def test_pixels_are_rounded_means_of_blocks_of_the_channels_kept(
    own: Path, pixels: np.ndarray, side: int, channels: tuple[int, ...] | None
) -> None:
    images.pack(own, channels=channels, downsample=side)
    opened = images.open_images(own)
    kept = pixels if channels is None else pixels[:, [channel - 1 for channel in channels]]
    blocks = kept.reshape(*kept.shape[:2], SIDE // side, side, SIDE // side, side)
    np.testing.assert_array_equal(all_pixels(own), np.rint(blocks.mean((3, 5))))
    assert opened.channels == (channels or (1, 2, 3, 4, 5, 6))
    assert opened.image_size == SIDE // side
    assert check(own) == []
    tree = png_tree.open_tree(metadata.load(own), own)
    whole = channels is None and side == 1
    same = packed_store.content_hash(tree) == packed_store.content_hash(opened)
    assert same == whole


@given(side=st.integers(1, 40), blocks=st.integers(1, 3), value=st.sampled_from([0, 1, 254, 255]))
def test_a_flat_picture_stays_as_bright_at_any_block_size(
    side: int, blocks: int, value: int
) -> None:
    flat = np.full((2, side * blocks, side * blocks), value, np.uint8)
    reduced = packed_store.Reduction(downsample=side).of(flat, (1, 2))
    np.testing.assert_array_equal(reduced, np.full((2, blocks, blocks), value))


def test_a_channel_is_read_by_its_number_and_others_are_refused(
    own: Path, pixels: np.ndarray
) -> None:
    images.pack(own, channels=[2, 5])
    opened = images.open_images(own)
    np.testing.assert_array_equal(opened.read([3], [5]), pixels[[3]][:, [4]])
    with pytest.raises(ValueError, match=r"channels is \[1\]; expected some of 2, 5, the chann"):
        opened.read([3], [1])


def test_only_the_pngs_of_the_channels_kept_are_needed(own: Path) -> None:
    for path in own.rglob("*_w3.png"):
        path.unlink()
    images.pack(own, channels=[1, 2])
    assert images.open_images(own).read([0]).shape == (1, 2, SIDE, SIDE)
    assert all("_w3.png is missing" in line for line in check(own))


def test_a_picture_replaced_after_packing_is_found(own: Path) -> None:
    images.pack(own, channels=[1, 4], downsample=2)
    invert(png_path(own, metadata.load(own), 3, 4))
    (line,) = check(own)
    assert "packed from other pictures" in line


@pytest.mark.parametrize(
    ("asked", "came"),
    [
        ({"downsample": 3}, "downsample is 3; expected a divisor of the pictures' 8 pixels"),
        ({"downsample": 16}, "downsample is 16; expected a divisor"),
        ({"downsample": 0}, "downsample is 0; expected at least 1"),
        ({"channels": [7]}, r"channels is \(7,\); expected some of 1 to 6, each once"),
        ({"channels": [2, 1]}, r"channels is \(2, 1\); expected some of 1 to 6, each once"),
        ({"channels": [1, 1]}, r"channels is \(1, 1\); expected some"),
        ({"channels": []}, r"channels is \(\); expected some"),
    ],
)
def test_what_cannot_be_made_of_the_screen_is_refused(
    own: Path, asked: dict[str, object], came: str
) -> None:
    with pytest.raises(ValueError, match=came):
        images.pack(own, **asked)
    assert not (own / "packed").exists()


def test_a_channel_that_wilds_s_pictures_lack_is_refused(own: Path) -> None:
    as_wilds(own)
    with pytest.raises(ValueError, match=r"channels is \(1, 4\); expected some of 1 to 3"):
        images.pack(own, channels=[1, 4])
    images.pack(own, channels=[1, 3])
    assert images.open_images(own).channels == (1, 3)


@pytest.mark.parametrize("make", [None, as_kaggle, as_wilds])
def test_it_is_a_screen_that_needs_nothing_of_the_first(
    own: Path, tmp_path: Path, make: object
) -> None:
    if callable(make):
        make(own)
    expected = images.open_images(own).read([4, 0], [3])
    table = metadata.load(own)
    manifest = images.pack(own, out=tmp_path / "small", channels=[1, 3])
    assert manifest == tmp_path / "small" / "packed" / "manifest.json"
    assert not (own / "packed").exists()
    shutil.rmtree(own)
    assert metadata.load(tmp_path / "small").equals(table)
    assert check(tmp_path / "small") == []
    opened = images.open_images(tmp_path / "small")
    np.testing.assert_array_equal(opened.read([4, 0], [3]), expected)


def test_it_can_be_packed_into_again(own: Path, tmp_path: Path) -> None:
    images.pack(own, out=tmp_path / "small", downsample=2)
    images.pack(own, out=tmp_path / "small", downsample=4)
    assert images.open_images(tmp_path / "small").image_size == 2
    assert len(list((tmp_path / "small" / "packed").iterdir())) == 2


def test_the_screen_itself_may_be_named(own: Path) -> None:
    images.pack(own, out=own)
    assert isinstance(images.open_images(own), images.PackedImages)


def test_a_folder_with_another_screen_is_refused(own: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(own, tmp_path / "other"))
    with pytest.raises(ValueError, match=r"other/images holds pictures; .*choose another"):
        images.pack(own, out=other)
    shutil.rmtree(other / "images")
    metadata.write(metadata.load(own)[::-1], other)
    with pytest.raises(ValueError, match=r"other/metadata\.csv is not the metadata\.csv of"):
        images.pack(own, out=other)
    assert not (other / "packed").exists()


@pytest.mark.usefixtures("small_parts")
def test_what_was_packed_when_a_png_was_missing_is_kept(own: Path, pixels: np.ndarray) -> None:
    path = png_path(own, metadata.load(own), 3 * SITES_A_PART, 2)
    path.rename(path.with_suffix(".away"))
    with pytest.raises(images.ImageError, match=r"_w2\.png is missing"):
        images.pack(own, workers=2)
    before = part_files(own)
    firsts = {int(name[:6]) for name in before}
    assert {0, 7, 14} <= firsts <= {0, 7, 14, 28, 35, 42}
    assert isinstance(images.open_images(own), images.PngTree)
    path.with_suffix(".away").rename(path)
    lines: list[str] = []
    images.pack(own, workers=2, write=lines.append)
    assert part_files(own).items() >= before.items()
    sites = sum(min(SITES_A_PART, len(pixels) - first) for first in firsts)
    assert lines[0] == f"{sites} of {len(pixels)} sites were packed before"
    assert "of pixels packed in" in lines[-1]
    np.testing.assert_array_equal(all_pixels(own), pixels)


@pytest.mark.usefixtures("small_parts")
def test_packing_again_changes_no_part(own: Path) -> None:
    images.pack(own)
    before = part_files(own)
    images.pack(own, workers=2)
    assert part_files(own) == before


@pytest.mark.usefixtures("small_parts")
def test_of_changed_pngs_only_their_part_is_packed_anew(own: Path) -> None:
    images.pack(own)
    before = part_files(own)
    path = png_path(own, metadata.load(own), SITES_A_PART, 2)
    invert(path)
    images.pack(own)
    after = part_files(own)
    assert len(after.items() - before.items()) == 1
    assert len(after) == len(before)
    np.testing.assert_array_equal(
        images.open_images(own).read([SITES_A_PART], [2])[0, 0], np.asarray(Image.open(path))
    )


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("how", ["cut", "emptied", "a bit"])
def test_a_damaged_part_is_packed_anew(own: Path, pixels: np.ndarray, how: str) -> None:
    images.pack(own)
    before = part_files(own)
    damaged = sorted((own / "packed").glob("*.blosc2"))[1]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.unlink()
    damaged.write_bytes({"cut": data[:-9], "emptied": b"", "a bit": data}[how])
    images.pack(own, workers=2)
    after = part_files(own)
    assert {name for name in before if before[name] != after[name]} == {damaged.name}
    np.testing.assert_array_equal(all_pixels(own), pixels)


@pytest.mark.usefixtures("small_parts")
def test_other_settings_keep_nothing(own: Path, pixels: np.ndarray) -> None:
    images.pack(own, codec="zstd")
    before = part_files(own)
    images.pack(own)
    assert not part_files(own).keys() & before.keys()
    np.testing.assert_array_equal(all_pixels(own), pixels)


@pytest.mark.usefixtures("small_parts")
def test_a_picture_that_changes_while_it_is_packed_is_noticed(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = png_path(own, metadata.load(own), 2, 2)
    decode = png_tree.decode

    def decode_and_change(path: Path, *kind: png_tree.Kind) -> png_tree.Pixels:
        decoded = decode(path, *kind)
        if path == changing:
            changing.write_bytes(changing.read_bytes() + b" ")
        return decoded

    monkeypatch.setattr(png_tree, "decode", decode_and_change)
    with pytest.raises(images.ImageError, match=r"B02_s1 to .* changed while it was packed"):
        images.pack(own)
    assert not list((own / "packed").glob("000000-*"))


@pytest.mark.usefixtures("small_parts")
def test_an_older_store_is_read_until_the_new_one_is_whole(
    own: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    images.pack(own)
    older = images.open_images(own)
    invert(png_path(own, metadata.load(own), 0, 1))
    write_text = atomic.write_text

    def read_and_write(path: Path, text: str) -> None:
        np.testing.assert_array_equal(all_pixels(own), pixels)
        write_text(path, text)

    monkeypatch.setattr(atomic, "write_text", read_and_write)
    images.pack(own)
    assert (all_pixels(own)[0, 0] == 255 - pixels[0, 0]).all()
    # Opened, not yet read, and gone.
    packed_store.forget_opened()
    with pytest.raises(images.ImageError, match=r"000000-\w+\.blosc2 cannot be used"):
        older.read([0])


@pytest.mark.usefixtures("small_parts")
def test_a_packing_killed_before_its_manifest_leaves_the_pngs_in_use(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            images.pack(own)
    assert isinstance(images.open_images(own), images.PngTree)
    before = part_files(own)
    images.pack(own)
    assert part_files(own) == before


# Slowed down, so that it is killed in the middle.
SLOW = """
import sys, time
from rxrx_lib.data import packed_parts, packing, png_tree
packed_parts.MOST_BYTES_OF_A_PART = int(sys.argv[2])
decode = png_tree.decode
def slow(*asked):
    time.sleep(0.002)
    return decode(*asked)
png_tree.decode = slow
packing.pack(sys.argv[1], workers=2)
"""


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("parts", [0, 1, 4])
def test_a_killed_packing_goes_on_and_does_nothing_twice(
    own: Path, pixels: np.ndarray, parts: int
) -> None:
    size = str(packed_parts.MOST_BYTES_OF_A_PART)
    packing = subprocess.Popen([sys.executable, "-c", SLOW, str(own), size])
    while not (own / "packed").exists() or len(part_files(own)) < parts:
        assert packing.poll() is None
        time.sleep(0.001)
    packing.kill()
    assert packing.wait() == -9
    whole = part_files(own)
    assert parts <= len(whole) < len(pixels) // SITES_A_PART
    assert isinstance(images.open_images(own), images.PngTree)
    images.pack(own)
    assert part_files(own).items() >= whole.items()
    np.testing.assert_array_equal(all_pixels(own), pixels)
    assert not [path for path in (own / "packed").iterdir() if path.name.startswith(".")]


# A file may not grow beyond so many bytes, as on a disk that is full.
LIMITED = """
import resource, sys
from rxrx_lib import cli
from rxrx_lib.data import packed_parts
packed_parts.MOST_BYTES_OF_A_PART = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
sys.exit(cli.main(["pack", sys.argv[1], *sys.argv[4:]]))
"""


@pytest.mark.usefixtures("small_parts")
@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on a file's size")
@pytest.mark.parametrize("room", [0, 1, 700, 1000, 2000, 2600])
def test_a_full_disk_gives_one_sentence_and_leaves_nothing_that_looks_whole(
    own: Path, pixels: np.ndarray, room: int
) -> None:
    size = str(packed_parts.MOST_BYTES_OF_A_PART)
    asked = [sys.executable, "-c", LIMITED, str(own), size, str(room)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert re.search(
        r"blosc2 cannot be written \(.+\); expected .*: make room or .*\.$", done.stderr
    )
    assert isinstance(images.open_images(own), images.PngTree)
    assert list((own / "packed").iterdir()) == []
    images.pack(own)
    np.testing.assert_array_equal(all_pixels(own), pixels)


@pytest.mark.usefixtures("small_parts")
def test_a_disk_that_is_full_at_the_fourth_part_keeps_three(
    own: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def full(file: int) -> None:
        if len(part_files(own)) == 3:
            raise OSError(28, "No space left on device")
        fsync(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(packed_parts.PackingError, match=r"-\w+\.blosc2 cannot .*No space"):
            images.pack(own, workers=2)
    assert not list((own / "packed").glob(".*"))
    before = part_files(own)
    assert len(before) == 3
    images.pack(own)
    assert part_files(own).items() >= before.items()
    np.testing.assert_array_equal(all_pixels(own), pixels)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_part_of_any_bytes_is_read_as_it_was_packed_or_refused(
    packed_part: Path, pixels: np.ndarray, data: st.DataObject
) -> None:
    spoiled = bytearray(packed_part.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(spoiled) - 1), min_size=1, max_size=4)):
        spoiled[place] = data.draw(st.integers(0, 255))
    path = packed_part.parent / "packed" / packed_part.name
    # Not written over, since it is mapped into memory.
    path.unlink()
    path.write_bytes(spoiled)
    packed_store.forget_opened()
    opened = images.open_images(packed_part.parent)
    rows = [0, 5, 2]
    sentences = []
    for channels in ([1, 2, 3, 4, 5, 6], [3, 1]):
        try:
            came = opened.read(rows, channels)
        except images.ImageError as error:
            sentences.append(str(error))
        else:
            shown = [channel - 1 for channel in channels]
            np.testing.assert_array_equal(came, pixels[rows][:, shown])
    assert all(sentence.startswith(f"{path} cannot be used (") for sentence in sentences)


def test_each_flipped_bit_of_the_pixels_is_found(packed_part: Path, pixels: np.ndarray) -> None:
    """Blosc2 alone would decompress most of them to wrong pixels."""
    path = packed_part.parent / "packed" / packed_part.name
    sound = packed_part.read_bytes()
    refused = 0
    for place in range(len(sound) // 4, len(sound) // 2, len(sound) // 64):
        path.unlink()
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 16]) + sound[place + 1 :])
        packed_store.forget_opened()
        opened = images.open_images(packed_part.parent)
        wrong = []
        for row in range(opened.sites):
            try:
                np.testing.assert_array_equal(opened.read([row])[0], pixels[row])
            except images.ImageError as error:
                wrong.append(str(error))
        refused += bool(wrong)
    assert refused >= 10


def test_a_store_of_another_published_variant_is_not_replaced(own: Path, tmp_path: Path) -> None:
    """Kaggle's metadata has other names, so that it would come to lie beside the release's."""
    small = tmp_path / "small"
    images.pack(own, out=small)
    kaggle = tmp_path / "kaggle"
    write_screen(kaggle, TWO_EXPERIMENTS, image_size=SIDE)
    as_kaggle(kaggle, "names")
    with pytest.raises(ValueError, match=r"metadata\.csv is of another screen than .*kaggle; "):
        images.pack(kaggle, out=small)
    assert len(images.open_images(small).read([0])) == 1


def test_a_store_of_six_channels_beside_colour_pngs_is_one_of_other_pictures(own: Path) -> None:
    images.pack(own)
    described = (own / metadata.FILE_NAME).read_bytes()
    as_wilds(own)
    (own / metadata.FILE_NAME).write_bytes(described)
    (fault,) = check(own)
    assert "it was packed from other pictures than those in images" in fault


def test_hidden_files_of_others_in_the_store_s_folder_are_left_alone(own: Path) -> None:
    notes = own / "packed" / ".ipynb_checkpoints"
    notes.mkdir(parents=True)
    (notes / "note").write_text("mine")
    images.pack(own)
    assert (notes / "note").read_text() == "mine"


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.just("[" * 100_000), st.just('{"shape": [1]}')))
def test_a_manifest_of_any_text_is_one_sentence(packed_part: Path, text: str) -> None:
    root = packed_part.parent
    sound = (root / packed_store.MANIFEST).read_text()
    try:
        (root / packed_store.MANIFEST).write_text(text)
        with pytest.raises(images.ImageError, match=r"manifest\.json cannot be used \("):
            images.open_images(root)
    finally:
        (root / packed_store.MANIFEST).write_text(sound)
