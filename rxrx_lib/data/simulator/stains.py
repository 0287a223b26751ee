"""Paint the six stains of a field of cells, before any optics.

Every pixel belongs to the cell whose elliptical distance is least, by waving outlines; all stains
are then functions of the pixel's place in that cell's own frame, so one pass of array arithmetic
paints all cells. Near an outline the next cell has its share too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.simulator.cells import Cells
from rxrx_lib.data.simulator.phenotypes import NAMES
from rxrx_lib.data.simulator.textures import SIDE, Textures, textures

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

TILE = 64  # pixels; large fields are painted in tiles, each with the cells that reach it
BUFFER = 1024  # numbers; NumPy copies what it broadcasts if rows are at most half its buffer
FLAT = 1.6  # how early cells thin out towards a free edge
ACROSS = 24.0  # release pixels: twice as far as a nucleus may reach into the next cell
OVERLAP = 9.0  # release pixels over which a cell lies on the next
SPREAD_THINS = -0.8  # exponent with which an organelle thins as it spreads
FAR = np.float32(1e6)
DNA_ROW, OF_BOTH = 7, 13  # of `_columns`: the last for a nucleus's shape, and all for two cells


class Columns(NamedTuple):
    """What pixels need to know of their cells: names, and values (columns, cells)."""

    names: tuple[str, ...]
    values: Floats


def paint(cells: Cells, image_size: int, pixel_size: float, random: np.random.Generator) -> Floats:
    """Paint the stains of a view.

    Parameters
    ----------
    cells : Cells
        The cells, in release pixels.
    image_size : int
        Height and width in pixels.
    pixel_size : float
        Release pixels per pixel.
    random : numpy.random.Generator
        Draws where the waves of outlines are cut, and the debris.

    Returns
    -------
    (6, H, W) float32 array
        Amount of each stain, around 1 where a typical cell is stained typically.
    """
    planes = np.empty((6, image_size, image_size), dtype=np.float32)
    bank, columns = textures(pixel_size), _columns(cells)
    corner = random.integers(0, SIDE, size=(4, 2))
    for top in range(0, image_size, TILE):
        for left in range(0, image_size, TILE):
            down = np.arange(top, min(top + TILE, image_size))
            right = np.arange(left, min(left + TILE, image_size))
            places = _places(down, right, pixel_size, bank, corner)
            tile = _paint_tile(cells, columns, places, pixel_size, bank)
            shape = (6, len(down), len(right))
            planes[:, top : top + TILE, left : left + TILE] = tile.reshape(shape)
    _add_debris(planes, pixel_size, random)
    return planes


def _places(rows: Ints, columns: Ints, pixel_size: float, bank: Textures, corner: Ints) -> Floats:
    """Return where every pixel of a tile is, flattened, in release pixels.

    The first x and y, gently warped, are for what lies in a cell; the second, which wave more, for
    the cell's outline: (4, pixels).
    """
    down = ((rows + 0.5) * pixel_size).astype(np.float32)[:, None]
    right = ((columns + 0.5) * pixel_size).astype(np.float32)
    i = (down[:, 0].astype(np.int64) + corner[:, :1]) & (SIDE - 1)
    j = (right.astype(np.int64) + corner[:, 1:]) & (SIDE - 1)
    waves = [
        wave.take(i[k], axis=0).take(j[k], axis=1)
        for k, wave in enumerate([bank.warp, bank.warp, bank.lobes, bank.lobes])
    ]
    x, y = right + waves[0], down + waves[1]
    return np.array([x, y, x + waves[2], y + waves[3]]).reshape(4, -1)


def _paint_tile(
    cells: Cells, columns: Columns, places: Floats, pixel_size: float, bank: Textures
) -> Floats:
    """Return the stains (6, pixels) at these places."""
    x, y, outline_x, outline_y = places
    near = _reaching(cells, outline_x, outline_y)
    if not len(near):
        return np.zeros((6, len(x)), dtype=np.float32)
    owner, second, depth, gap = _owners(cells, near, outline_x, outline_y)
    values = np.take(columns.values, near, axis=1)
    own = np.take(values, owner, axis=1, mode="wrap")  # faster than with a check of bounds
    cell = dict(zip(columns.names, own, strict=True))

    # Place in the owner's own frame: u along its long axis, v across, in release pixels.
    dx, dy = x - cell["x"], y - cell["y"]
    u, v = cell["cos"] * dx + cell["sin"] * dy, cell["cos"] * dy - cell["sin"] * dx
    rim = np.sqrt((u * cell["per_length"]) ** 2 + (v * cell["per_width"]) ** 2) - 1
    rim *= cell["radius"]  # release pixels outside the nucleus, negative within
    nucleus = _within(rim, pixel_size)
    outside = np.maximum(rim, 0)
    flat = np.clip(FLAT * (1 - depth), 0, 1)  # 1 in a cell, falling to 0 at its free edge
    close = np.exp(-outside * cell["per_er_spread"])
    gap *= cell["extent"]
    dna = _overlap(values, own, second, gap, (x, y), nucleus, pixel_size)
    border = np.exp(-((gap / max(4.0, 1.2 * pixel_size)) ** 2))
    chromatin, reticulum, granules, fibres, vesicles, mesh = _cut(bank, cell, u, v)

    cytoplasm = (0.09 + close) * (1 - 0.64 * nucleus)
    er = cytoplasm * (1 + 0.2 * reticulum) + 0.04 * close * vesicles
    actin = (0.5 + 0.35 * close) * (1 - 0.15 * nucleus) * (1 + 0.12 * mesh)
    # What gathers in bundles and at borders is missing elsewhere: traits move stain about.
    actin += cell["border"] * (border - 0.2) + cell["fibres"] * (1 - 0.4 * nucleus) * (fibres - 0.8)
    rna = (0.08 + close) * (1 - 0.45 * nucleus) * (1 + 0.17 * reticulum) + 0.03 * close * vesicles
    mitochondria = np.exp(-outside * cell["per_mito_spread"]) * (1 - 0.7 * nucleus)
    mitochondria *= 1 + cell["granules"] * (granules - 1)
    membrane = 0.35 + 0.35 * close + 0.15 * border
    planes = np.empty((6, len(x)), dtype=np.float32)
    planes[0] = dna * (1 + cell["chromatin"] * chromatin) + 0.03 * flat
    planes[1] = cell["er"] * flat * er
    planes[2] = cell["actin"] * flat * actin
    planes[3] = cell["rna"] * (0.55 * flat * rna + _nucleoli(cells, near, owner, u, v, rim))
    planes[4] = cell["mito"] * flat * mitochondria
    planes[5] = cell["membrane"] * flat * membrane + _golgi(cell, u, v, granules)
    return np.maximum(planes, 0, out=planes)


def _columns(cells: Cells) -> Columns:
    """Return what pixels need to know of their cells."""
    trait = dict(zip(NAMES, cells.traits.T, strict=True))
    bright = cells.brightness.T
    radius = np.sqrt(cells.nucleus[:, 0] * cells.nucleus[:, 1])
    extent = np.sqrt(cells.body[:, 0] * cells.body[:, 1])
    golgi_width = (0.2 * radius + 3) * trait["golgi_spread"]
    columns = {
        "x": cells.x,
        "y": cells.y,
        "cos": cells.cos,
        "sin": cells.sin,
        "per_length": 1 / cells.nucleus[:, 0],
        "per_width": 1 / cells.nucleus[:, 1],
        "radius": radius,
        "dna": bright[0] * trait["nucleus_intensity"],
        "er": bright[1] * trait["er_amount"] * trait["er_spread"] ** SPREAD_THINS,
        "actin": bright[2] * trait["actin_amount"],
        "rna": bright[3],
        "mito": bright[4] * trait["mito_amount"] * trait["mito_spread"] ** SPREAD_THINS,
        "membrane": bright[5],
        "extent": extent,
        "per_er_spread": 1 / (0.24 * extent * trait["er_spread"]),
        "per_mito_spread": 1 / (0.16 * extent * trait["mito_spread"]),
        "granules": np.minimum(0.55 * trait["mito_granules"], 1),
        "chromatin": 0.16 * trait["chromatin_texture"],
        "fibres": 0.1 * trait["actin_fibres"],
        "border": 0.35 * trait["actin_border"],
        "golgi": bright[5] * trait["golgi_amount"] / trait["golgi_spread"],
        "golgi_along": cells.golgi[:, 0],
        "golgi_across": cells.golgi[:, 1],
        "per_golgi_width": 1 / golgi_width,
        "texture_along": cells.texture[:, 0],
        "texture_across": cells.texture[:, 1],
    }
    return Columns(tuple(columns), np.array(list(columns.values())))


def _overlap(
    values: Floats,
    own: Floats,
    second: Ints,
    gap: Floats,
    at: tuple[Floats, Floats],
    nucleus: Floats,
    pixel_size: float,
) -> Floats:
    """Let each cell lie a little over the next, and return the DNA stain's level.

    So there is no sharp step where two meet, and no nucleus is cut off where its cell's waving
    outline ends. In place: the stains' levels of pixels in `own` (columns, pixels) pass over from a
    cell to the next, and `nucleus` grows by what of the next cell's nucleus reaches over.
    """
    other = np.take(values[:OF_BOTH], second, axis=1, mode="wrap")
    cx, cy, cos, sin, per_length, per_width, radius, dna = other[: DNA_ROW + 1]
    dx, dy = at[0] - cx, at[1] - cy
    u, v = (cos * dx + sin * dy) * per_length, (cos * dy - sin * dx) * per_width
    reaching = _within((np.sqrt(u * u + v * v) - 1) * radius, pixel_size)
    reaching *= gap < ACROSS
    level: Floats = np.maximum(own[DNA_ROW] * nucleus, dna * reaching)
    np.maximum(nucleus, reaching, out=nucleus)
    levels = slice(DNA_ROW + 1, OF_BOTH)
    following = other[levels]
    following -= own[levels]
    following *= np.maximum(0.5 - (0.5 / max(OVERLAP, pixel_size)) * gap, 0)
    own[levels] += following
    return level


def _within(rim: Floats, pixel_size: float) -> Floats:
    """Return the share of a pixel inside an outline that lies `rim` release pixels within it."""
    return np.asarray(np.clip(0.5 - rim / max(1.6, 0.8 * pixel_size), 0, 1), dtype=np.float32)


def _reaching(cells: Cells, x: Floats, y: Floats) -> Ints:
    """Return the cells that may reach a pixel of these."""
    nearest_x = np.clip(cells.x, x.min(), x.max())
    nearest_y = np.clip(cells.y, y.min(), y.max())
    distance = np.hypot(cells.x - nearest_x, cells.y - nearest_y)
    return np.flatnonzero(distance < cells.body[:, 0])


def _owners(cells: Cells, near: Ints, x: Floats, y: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """Return every pixel's cell, the next one, the depth (0 centre, 1 reach) and the next's lead.

    Cells are numbered in the order of `near`. Depth is an ellipse's norm, a quadratic form in x and
    y: one matrix product for all pairs. The last bits of each norm carry the cell's number, so that
    one minimum finds both; the bits of positive floats are in the order of the floats.
    """
    middle_x, middle_y = x.mean(), y.mean()
    px, py = x - middle_x, y - middle_y
    cx, cy = cells.x[near] - middle_x, cells.y[near] - middle_y
    cos, sin = cells.cos[near], cells.sin[near]
    along, across = cells.body[near].T ** -2.0
    xx = cos * cos * along + sin * sin * across
    yy = sin * sin * along + cos * cos * across
    xy = 2 * cos * sin * (along - across)
    constant = xx * cx * cx + yy * cy * cy + xy * cx * cy + np.float32(1e-3)  # stays above zero
    form = np.array([xx, yy, xy, -2 * xx * cx - xy * cy, -2 * yy * cy - xy * cx, constant])
    pixels = np.array([px * px, py * py, px * py, px, py, np.ones_like(px)])
    norm = form.T @ pixels
    number = np.arange(len(near), dtype=np.int32)
    low_bits = np.int32((1 << max(1, int(len(near) - 1).bit_length())) - 1)
    keys = norm.view(np.int32)
    keys &= ~low_bits
    with np.errstate():  # which restores the size of the buffer
        np.setbufsize(BUFFER)
        keys |= number[:, None]
    first = keys.min(axis=0)
    owner = (first & low_bits).astype(np.int64)
    depth = np.sqrt(first.view(np.float32))
    norm.reshape(-1)[owner * len(x) + np.arange(len(x))] = FAR
    following = keys.min(axis=0)
    gap = np.sqrt(following.view(np.float32)) - depth
    # Where there is no other cell these bits are those of FAR.
    second = np.minimum(following & low_bits, len(near) - 1).astype(np.int64)
    return owner, second, depth, gap


def _cut(bank: Textures, cell: dict[str, Floats], u: Floats, v: Floats) -> Floats:
    """Return the fine textures (6, pixels), cut at each cell's own place and along its axis."""
    row = (v + cell["texture_across"]).astype(np.int32) & (SIDE - 1)
    column = (u + cell["texture_along"]).astype(np.int32) & (SIDE - 1)
    return np.ascontiguousarray(np.take(bank.fine, row * SIDE + column, axis=0).T)


def _golgi(cell: dict[str, Floats], u: Floats, v: Floats, granules: Floats) -> Floats:
    """Return a compact grainy patch beside the nucleus."""
    squared = (u - cell["golgi_along"]) ** 2 + (v - cell["golgi_across"]) ** 2
    patch = np.exp(-0.5 * squared * cell["per_golgi_width"] ** 2)
    return np.asarray(cell["golgi"] * patch * (0.4 + 0.6 * granules))


def _nucleoli(cells: Cells, near: Ints, owner: Ints, u: Floats, v: Floats, rim: Floats) -> Floats:
    """Return bright spots within nuclei."""
    spots = np.zeros(len(u), dtype=np.float32)
    within = np.flatnonzero(rim < 0)
    along, across, radius = np.take(cells.nucleoli.transpose(2, 1, 0), near[owner[within]], axis=2)
    squared = (u[within] - along) ** 2 + (v[within] - across) ** 2
    level = np.exp(-squared / np.maximum(radius, 0.1) ** 2)
    spots[within] = 0.8 * level.sum(axis=0)
    return spots


def _add_debris(planes: Floats, pixel_size: float, random: np.random.Generator) -> None:
    """Add rare bright specks, in one stain or in all."""
    image_size = planes.shape[1]
    expected = 2.5 * (image_size * pixel_size / 512) ** 2
    place = (np.arange(image_size, dtype=np.float32) + 0.5) * pixel_size
    for _ in range(random.poisson(expected)):
        y, x, size, long, level, which = random.random(6)
        width = max(1.0 + 2.0 * size, 0.5 * pixel_size)
        height = max(width * (0.5 + 1.5 * long), 0.5 * pixel_size)
        down = np.exp(-0.5 * ((place - y * image_size * pixel_size) / height) ** 2)
        right = np.exp(-0.5 * ((place - x * image_size * pixel_size) / width) ** 2)
        stained = slice(None) if which > 0.8 else slice(int(which * 7.5), int(which * 7.5) + 1)
        planes[stained] += (0.8 + 4 * level**3) * np.outer(down, right).astype(np.float32)
