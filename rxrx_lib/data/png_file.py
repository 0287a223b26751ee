"""One PNG, decoded only if every byte of it is as it was written; and grey ones encoded."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_CHUNK = b"IHDR"
LAST_CHUNK = b"IEND"
# Width, height, bits a channel, colour type; more follows.
HEADER = struct.Struct(">IIBB")
HEADER_LENGTH = 13
# Length and type before a chunk's content, checksum after it.
BEFORE, AFTER = 8, 4
# Sixteen times the release's pixels a side: a picture that claims more is none of a screen.
LARGEST = 8192
# What Pillow raises for content that makes no sense though its checksums are right.
NO_PICTURE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
    zlib.error,
)


class ImageError(ValueError):
    """A picture or a packed store that cannot be used; the message names the file."""


class Kind(NamedTuple):
    """What a PNG must hold.

    Attributes
    ----------
    colour_type : int
        As its header says it.
    name : str
        As a sentence says it.
    """

    colour_type: int
    name: str


COLOUR_TYPES = {
    0: "grey",
    2: "colour",
    3: "palette",
    4: "grey and transparent",
    6: "colour and transparent",
}
GREY = Kind(0, "8-bit grey")
COLOUR = Kind(2, "8-bit colour")


def decode(path: Path, kind: Kind = GREY) -> Pixels:
    """Decode one square 8-bit PNG to uint8: (H, W) if grey, (3, H, W) if in colour.

    Raises
    ------
    ImageError
        If the file is missing, cut off or damaged, or has another colour mode or shape.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} is missing; expected an {kind.name} PNG.") from None
    except OSError as error:
        raise ImageError(
            f"{path} cannot be read ({error}); expected an {kind.name} PNG."
        ) from error
    damage = _damage(data)
    if damage:
        raise ImageError(f"{path} {damage}; fetch it again.")
    # The header tells it, before memory is taken for the pixels.
    wrong = _wrong_form(data, kind)
    if wrong:
        raise ImageError(f"{path} {wrong}.")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            pixels = np.asarray(picture)
    except NO_PICTURE as error:
        raise ImageError(f"{path} is damaged or no PNG ({error}); fetch it again.") from error
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def encode(pixels: Pixels) -> bytes:
    """Encode a picture, uint8 (H, W), as an 8-bit grey PNG.

    Lines are not filtered, and only runs are compressed: on small noisy pictures this is faster
    than full deflate, and smaller. By way of Pillow it takes several times as long, which a
    simulated screen of many small pictures would mostly wait for.
    """
    height, width = pixels.shape
    lines = np.zeros((height, 1 + width), np.uint8)  # each line begins with its filter: 0, none
    lines[:, 1:] = pixels
    deflate = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    chunks = (
        (HEADER_CHUNK, HEADER.pack(width, height, 8, GREY.colour_type) + bytes(3)),
        (b"IDAT", deflate.compress(lines.data) + deflate.flush()),
        (LAST_CHUNK, b""),
    )
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def size_fault(path: Path, came: int, expected: int) -> str:
    """Return the sentence about a PNG of another size than the rest of its screen."""
    return f"{path} has {came} × {came} pixels; expected {expected} × {expected}."


def _damage(data: bytes) -> str | None:
    """Tell what is wrong with a file as a sequence of chunks: Pillow does not look at them all."""
    if not data.startswith(SIGNATURE):
        return "is truncated or no PNG (it does not start as one)"
    start = len(SIGNATURE)
    while True:
        content = start + BEFORE
        end = content + int.from_bytes(data[start : start + 4], "big") + AFTER
        if end > len(data) or content > len(data):
            return "is truncated (its last chunk is missing)"
        kind = data[start + 4 : content]
        checksum = zlib.crc32(memoryview(data)[start + 4 : end - AFTER])
        if checksum != int.from_bytes(data[end - AFTER : end], "big"):
            return f"is damaged (the checksum of its chunk {kind.decode('latin-1')!r} is wrong)"
        if start == len(SIGNATURE) and (kind != HEADER_CHUNK or end - content < HEADER_LENGTH):
            return "is no PNG (its first chunk is no header)"
        if kind == LAST_CHUNK:
            return None
        start = end


def _wrong_form(data: bytes, kind: Kind) -> str | None:
    """Tell how a picture differs from what it should be, by its header."""
    width, height, bits, colour_type = HEADER.unpack_from(data, len(SIGNATURE) + BEFORE)
    if (bits, colour_type) != (8, kind.colour_type):
        name = COLOUR_TYPES.get(colour_type, f"colour type {colour_type}")
        return f"has {bits}-bit {name} pixels; expected {kind.name}"
    if width != height:
        return f"has {width} × {height} pixels; expected a square"
    if not 0 < width <= LARGEST:
        return f"has {width} × {height} pixels; expected 1 to {LARGEST} a side"
    return None
