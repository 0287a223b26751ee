"""One PNG: its exact pixels come out, or one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rxrx_lib.data.png_file import COLOUR, GREY, ImageError, Kind, decode, encode

DRAW = np.random.default_rng(0)
PICTURES = {
    GREY: DRAW.integers(0, 256, (12, 12), dtype=np.uint8),
    COLOUR: DRAW.integers(0, 256, (12, 12, 3), dtype=np.uint8),
}


def png(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def with_checksums(data: bytes) -> bytes:
    """Make the checksums of all chunks right again."""
    mended, start = bytearray(data), 8
    while start + 12 <= len(mended):
        end = start + 8 + int.from_bytes(mended[start : start + 4], "big")
        mended[end : end + 4] = zlib.crc32(mended[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(mended)


def expected(kind: Kind) -> np.ndarray:
    return PICTURES[kind] if kind == GREY else PICTURES[kind].transpose(2, 0, 1)


@pytest.mark.parametrize("kind", [GREY, COLOUR])
@pytest.mark.parametrize("options", [{}, {"compress_level": 0}, {"optimize": True}])
def test_the_exact_pixels_come_out(tmp_path: Path, kind: Kind, options: dict[str, object]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(PICTURES[kind], **options))
    pixels = decode(path, kind)
    np.testing.assert_array_equal(pixels, expected(kind))
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        (png(PICTURES[COLOUR]), GREY, "has 8-bit colour pixels; expected 8-bit grey"),
        (png(PICTURES[GREY]), COLOUR, "has 8-bit grey pixels; expected 8-bit colour"),
        (png(PICTURES[GREY] > 9), GREY, "has 1-bit grey pixels; expected 8-bit grey"),
        (png(np.zeros((4, 4), np.uint16)), GREY, "has 16-bit grey pixels; expected 8-bit grey"),
        (png(np.zeros((4, 4, 4), np.uint8)), COLOUR, "has 8-bit colour and transparent pixels"),
        (png(np.zeros((4, 5), np.uint8)), GREY, "has 5 × 4 pixels; expected a square"),
        (b"", GREY, "is truncated or no PNG"),
        (b"GIF89a", GREY, "is truncated or no PNG"),
        (png(PICTURES[GREY])[:-1], GREY, "is truncated"),
        (png(PICTURES[GREY])[:8], GREY, "is truncated"),
        (png(PICTURES[GREY]).replace(b"IDAT", b"IDAX"), GREY, "the checksum of its chunk 'IDAX'"),
    ],
)
def test_what_is_no_such_picture_gives_one_sentence_with_its_name(
    tmp_path: Path, content: bytes, kind: Kind, sentence: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        decode(path, kind)
    assert str(caught.value).startswith(f"{path} ")
    assert sentence in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is missing; expected an 8-bit grey PNG"):
        decode(tmp_path / "a.png")
    with pytest.raises(ImageError, match="cannot be read"):
        decode(tmp_path)


def test_one_changed_byte_anywhere_is_found(tmp_path: Path) -> None:
    data = png(PICTURES[GREY])
    path = tmp_path / "a.png"
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        with pytest.raises(ImageError):
            decode(path)


@settings(max_examples=300, deadline=2000)
@given(
    kind=st.sampled_from([GREY, COLOUR]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4))),
    mended=st.booleans(),
)
def test_no_spoiled_picture_gives_anything_but_pixels_or_one_sentence(
    kind: Kind,
    changes: list[tuple[float, bytes]],
    mended: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = png(PICTURES[kind])
    for where, some in changes:
        place = int(where * len(data))
        data = data[:place] + some + data[place + 2 :]
    data = with_checksums(data) if mended else data
    path = tmp_path_factory.getbasetemp() / "spoiled.png"
    path.write_bytes(data)
    try:
        pixels = decode(path, kind)
    except ImageError as error:
        line = str(error)
    else:
        line = f"{path} "
        if not mended:
            np.testing.assert_array_equal(pixels, expected(kind))
    assert line.startswith(f"{path} ")
    assert "\n" not in line


@pytest.mark.parametrize("size", [0, 8193, 2**16, 2**31 - 1, 2**32 - 1])
def test_a_header_that_claims_too_much_takes_no_memory(tmp_path: Path, size: int) -> None:
    data = bytearray(png(PICTURES[GREY]))
    struct.pack_into(">II", data, 16, size, size)
    path = tmp_path / "a.png"
    path.write_bytes(with_checksums(bytes(data)))
    with pytest.raises(ImageError, match=rf"has {size} × {size} pixels; expected 1 to 8192"):
        decode(path)


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_what_is_encoded_is_decoded_by_others_and_by_us(size: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 1 + seed % 256, (size, size), dtype=np.uint8)
    data = encode(pixels)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "L"
        picture.verify()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_an_encoded_file_is_whole(tmp_path: Path) -> None:
    pixels = PICTURES[GREY]
    path = tmp_path / "w1.png"
    path.write_bytes(encode(pixels))
    assert np.array_equal(decode(path), pixels)
