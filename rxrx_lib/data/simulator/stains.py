"""Paint the six stains of a field of cells, before any optics.

Every pixel belongs to the cell whose elliptical distance is least; all stains are then functions
of the pixel's place in that cell's own frame, so one pass of array arithmetic paints all cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.simulator.cells import Cells
from rxrx_lib.data.simulator.phenotypes import NAMES
from rxrx_lib.data.simulator.textures import SIDE, Textures, textures

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

TILE = 64  # pixels; large fields are painted in tiles, each with the cells that reach it
WARP = 2.2  # release pixels by which outlines wave
FAR = np.float32(1e6)


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
    bank = textures(pixel_size)
    corner = random.integers(0, SIDE, size=4)
    for top in range(0, image_size, TILE):
        for left in range(0, image_size, TILE):
            rows = np.arange(top, min(top + TILE, image_size))
            columns = np.arange(left, min(left + TILE, image_size))
            x, y = _coordinates(rows, columns, pixel_size, bank, corner)
            tile = _paint_tile(cells, x, y, pixel_size, bank)
            shape = (6, len(rows), len(columns))
            planes[:, top : top + TILE, left : left + TILE] = tile.reshape(shape)
    _add_debris(planes, pixel_size, random)
    return planes


def _coordinates(
    rows: Ints, columns: Ints, pixel_size: float, bank: Textures, corner: Ints
) -> tuple[Floats, Floats]:
    """Return x and y of every pixel of a tile, flattened, in release pixels, gently warped."""
    down = ((rows + 0.5) * pixel_size).astype(np.float32)
    right = ((columns + 0.5) * pixel_size).astype(np.float32)
    i, j = down.astype(np.int64)[:, None], right.astype(np.int64)
    x = right + WARP * bank.warp[(i + corner[0]) & (SIDE - 1), (j + corner[1]) & (SIDE - 1)]
    y = down[:, None] + WARP * bank.warp[(i + corner[2]) & (SIDE - 1), (j + corner[3]) & (SIDE - 1)]
    return x.ravel(), y.ravel()


def _paint_tile(cells: Cells, x: Floats, y: Floats, pixel_size: float, bank: Textures) -> Floats:
    """Return the stains (6, pixels) at these places."""
    near = _reaching(cells, x, y)
    if not len(near):
        return np.zeros((6, len(x)), dtype=np.float32)
    owner, depth, gap = _owners(cells, near, x, y)
    names, values = zip(*_columns(cells).items(), strict=True)
    cell = dict(zip(names, np.take(np.stack(values), owner, axis=1), strict=True))

    # Place in the owner's own frame: u along its long axis, v across, in release pixels.
    dx, dy = x - cell["x"], y - cell["y"]
    u, v = cell["cos"] * dx + cell["sin"] * dy, cell["cos"] * dy - cell["sin"] * dx
    rim = np.sqrt((u * cell["per_length"]) ** 2 + (v * cell["per_width"]) ** 2) - 1
    rim *= cell["radius"]  # release pixels outside the nucleus, negative within
    nucleus = np.clip(0.5 - rim / max(1.6, 0.8 * pixel_size), 0, 1)
    outside = np.maximum(rim, 0)
    flat = np.clip(2.2 * (1 - depth), 0, 1)  # 1 in a cell, falling to 0 at its free edge
    close = np.exp(-outside * cell["per_er_spread"])
    gap *= cell["extent"]
    border = np.exp(-((gap / max(4.0, 1.2 * pixel_size)) ** 2))
    chromatin, reticulum, granules, fibres, vesicles = _cut(bank, cell, u, v)

    cytoplasm = (0.07 + close) * (1 - 0.58 * nucleus)
    er = cytoplasm * (1 + 0.22 * reticulum) + 0.025 * close * vesicles
    actin = cell["actin"] * (0.5 + 0.35 * close) * (1 - 0.15 * nucleus) + cell["border"] * border
    actin += cell["fibres"] * (1 - 0.4 * nucleus) * fibres
    rna = (0.06 + close) * (1 - 0.45 * nucleus) * (1 + 0.18 * reticulum)
    mitochondria = np.exp(-outside * cell["per_mito_spread"]) * (1 - 0.7 * nucleus)
    mitochondria *= 1 + cell["granules"] * (granules - 1)
    membrane = cell["membrane"] * (0.35 + 0.35 * close + 0.15 * border)
    planes = np.empty((6, len(x)), dtype=np.float32)
    planes[0] = nucleus * (cell["nucleus"] + cell["chromatin"] * chromatin) + 0.03 * flat
    planes[1] = cell["er"] * flat * er
    planes[2] = flat * actin
    planes[3] = cell["rna"] * (0.55 * flat * rna + _nucleoli(cells, owner, u, v, rim))
    planes[4] = cell["mito"] * flat * mitochondria
    planes[5] = flat * membrane + _golgi(cell, u, v, granules)
    return np.maximum(planes, 0, out=planes)


def _columns(cells: Cells) -> dict[str, Floats]:
    """Return what pixels need to know of their cells, each (cells,)."""
    trait = dict(zip(NAMES, cells.traits.T, strict=True))
    bright = cells.brightness.T
    radius = np.sqrt(cells.nucleus[:, 0] * cells.nucleus[:, 1])
    extent = np.sqrt(cells.body[:, 0] * cells.body[:, 1])
    golgi_width = (0.2 * radius + 3) * trait["golgi_spread"]
    nucleus = bright[0] * trait["nucleus_intensity"]
    return {
        "x": cells.x,
        "y": cells.y,
        "cos": cells.cos,
        "sin": cells.sin,
        "per_length": 1 / cells.nucleus[:, 0],
        "per_width": 1 / cells.nucleus[:, 1],
        "radius": radius,
        "extent": extent,
        "per_er_spread": 1 / (0.24 * extent * trait["er_spread"]),
        "per_mito_spread": 1 / (0.20 * extent * trait["mito_spread"]),
        "granules": np.minimum(0.55 * trait["mito_granules"], 1),
        "nucleus": nucleus,
        "chromatin": 0.16 * nucleus * trait["chromatin_texture"],
        "er": bright[1] * trait["er_amount"],
        "actin": bright[2] * trait["actin_amount"],
        "fibres": 0.13 * bright[2] * trait["actin_fibres"],
        "border": 0.35 * bright[2] * trait["actin_border"],
        "rna": bright[3],
        "mito": bright[4] * trait["mito_amount"],
        "membrane": bright[5],
        "golgi": bright[5] * trait["golgi_amount"] / trait["golgi_spread"],
        "golgi_along": cells.golgi[:, 0],
        "golgi_across": cells.golgi[:, 1],
        "per_golgi_width": 1 / golgi_width,
        "texture_along": cells.texture[:, 0],
        "texture_across": cells.texture[:, 1],
    }


def _reaching(cells: Cells, x: Floats, y: Floats) -> Ints:
    """Return the cells that may reach a pixel of these."""
    nearest_x = np.clip(cells.x, x.min(), x.max())
    nearest_y = np.clip(cells.y, y.min(), y.max())
    distance = np.hypot(cells.x - nearest_x, cells.y - nearest_y)
    return np.flatnonzero(distance < cells.body[:, 0])


def _owners(cells: Cells, near: Ints, x: Floats, y: Floats) -> tuple[Ints, Floats, Floats]:
    """Return every pixel's cell, its depth (0 centre, 1 reach) and the gap to the next cell.

    Depth is an ellipse's norm, a quadratic form in x and y: one matrix product for all pairs.
    The last bits of each norm carry the cell's number, so that one minimum finds both; the bits
    of positive floats are in the order of the floats.
    """
    middle_x, middle_y = x.mean(), y.mean()
    px, py = x - middle_x, y - middle_y
    cx, cy = cells.x[near] - middle_x, cells.y[near] - middle_y
    cos, sin = cells.cos[near], cells.sin[near]
    along, across = cells.body[near].T ** -2.0
    xx = cos * cos * along + sin * sin * across
    yy = sin * sin * along + cos * cos * across
    xy = 2 * cos * sin * (along - across)
    constant = xx * cx * cx + yy * cy * cy + xy * cx * cy
    form = np.stack([xx, yy, xy, -2 * xx * cx - xy * cy, -2 * yy * cy - xy * cx, constant])
    pixels = np.stack([px * px, py * py, px * py, px, py, np.ones_like(px)])
    norm = form.T @ pixels
    np.maximum(norm, np.float32(1e-4), out=norm)

    number = np.arange(len(near), dtype=np.int32)
    low_bits = np.int32((1 << max(1, int(len(near) - 1).bit_length())) - 1)
    keys = norm.view(np.int32)
    keys &= ~low_bits
    keys |= number[:, None]
    first = keys.min(axis=0)
    owner = first & low_bits
    depth = np.sqrt(first.view(np.float32))
    norm[owner, np.arange(len(x))] = FAR
    gap = np.sqrt(keys.min(axis=0).view(np.float32)) - depth
    return near[owner], depth, gap


def _cut(bank: Textures, cell: dict[str, Floats], u: Floats, v: Floats) -> Floats:
    """Return the fine textures (5, pixels), cut at each cell's own place and along its axis."""
    row = (v + cell["texture_across"]).astype(np.int32) & (SIDE - 1)
    column = (u + cell["texture_along"]).astype(np.int32) & (SIDE - 1)
    return np.ascontiguousarray(np.take(bank.fine, row * SIDE + column, axis=0).T)


def _golgi(cell: dict[str, Floats], u: Floats, v: Floats, granules: Floats) -> Floats:
    """Return a compact grainy patch beside the nucleus."""
    squared = (u - cell["golgi_along"]) ** 2 + (v - cell["golgi_across"]) ** 2
    patch = np.exp(-0.5 * squared * cell["per_golgi_width"] ** 2)
    return np.asarray(cell["golgi"] * patch * (0.4 + 0.6 * granules))


def _nucleoli(cells: Cells, owner: Ints, u: Floats, v: Floats, rim: Floats) -> Floats:
    """Return bright spots within nuclei."""
    spots = np.zeros(len(u), dtype=np.float32)
    within = np.flatnonzero(rim < 0)
    along, across, radius = np.take(cells.nucleoli.transpose(2, 1, 0), owner[within], axis=2)
    squared = (u[within] - along) ** 2 + (v[within] - across) ** 2
    level = np.exp(-squared / np.maximum(radius, 0.1) ** 2)
    spots[within] = 0.8 * level.sum(axis=0)
    return spots


def _add_debris(planes: Floats, pixel_size: float, random: np.random.Generator) -> None:
    """Add rare bright specks, in one stain or in all."""
    image_size = planes.shape[1]
    expected = 1.5 * (image_size * pixel_size / 512) ** 2
    place = (np.arange(image_size, dtype=np.float32) + 0.5) * pixel_size
    for _ in range(random.poisson(expected)):
        y, x, size, level, which = random.random(5)
        width = max(1.5 + 3.5 * size, 0.5 * pixel_size)
        down = np.exp(-0.5 * ((place - y * image_size * pixel_size) / width) ** 2)
        right = np.exp(-0.5 * ((place - x * image_size * pixel_size) / width) ** 2)
        stained = slice(None) if which > 0.6 else slice(int(which * 10), int(which * 10) + 1)
        planes[stained] += (1.5 + 5 * level**3) * np.outer(down, right).astype(np.float32)
