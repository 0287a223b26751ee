"""The cells of one field: where they lie, how large they are, how they are stained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.simulator import tables
from rxrx_lib.data.simulator.cell_types import CellType
from rxrx_lib.data.simulator.phenotypes import CELL_COUNT, NAMES
from rxrx_lib.data.simulator.textures import SIDE, textures

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FIELD = 512.0  # release pixels
MARGIN = 40.0  # release pixels around the view in which cells lie that reach into it
NUCLEOLI = 4  # most of them in a nucleus
NORMALS, UNIFORMS = 18, 4 + 3 * NUCLEOLI  # that a cell is made from
CANDIDATES = 8  # places for each cell that a typical well has
NEIGHBOUR = 3  # the neighbour whose distance tells how much room a cell has
LEAST_AND_MOST_ROOM = 0.45, 1.8  # where 1 is a typical well's
ROUNDED = 0.02  # share of cells that have rounded up: dividing or dying

RESPONSE_SD = 0.3  # cells of a well differ in how strongly they respond
NUCLEUS_SD = 0.14
NUCLEUS_FILLS, CELL_FILLS = 0.2, 0.5  # exponents with which cells grow into the room they have
REACH_SD = 0.15
ELONGATION_SD = 0.35
BRIGHTNESS_SD = 0.32  # common to all stains of a cell
STAIN_SD = 0.12


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Cells of a field; lengths in release pixels from the view's upper left corner.

    Parameters
    ----------
    x, y, cos, sin : (cells,) arrays
        Centres and the directions of the long axes.
    nucleus : (cells, 2) array
        Half axes of the nuclei.
    body : (cells, 2) array
        Half axes to which cells spread where they have room.
    brightness : (cells, 6) array
        Factor on each stain.
    traits : (cells, traits) array
        Multipliers in the order of `phenotypes.NAMES`.
    golgi : (cells, 2) array
        Place of the Golgi apparatus, along and across the cell's long axis.
    texture : (cells, 2) array
        Where in the textures each cell is cut.
    nucleoli : (cells, NUCLEOLI, 3) array
        Place along and across the long axis, and radius (0: absent).
    """

    x: Floats
    y: Floats
    cos: Floats
    sin: Floats
    nucleus: Floats
    body: Floats
    brightness: Floats
    traits: Floats
    golgi: Floats
    texture: Floats
    nucleoli: Floats

    def in_view(self, side: float) -> int:
        """Count the nuclei whose centres lie in the square view of this side."""
        inside = (self.x >= 0) & (self.x < side) & (self.y >= 0) & (self.y < side)
        return int(inside.sum())


def draw_cells(
    kind: CellType,
    side: float,
    phenotype: NDArray[np.float64],
    morphology: NDArray[np.float64],
    log_density: float,
    random: np.random.Generator,
) -> Cells:
    """Draw the cells of one view.

    Parameters
    ----------
    kind : CellType
        Their cell type.
    side : float
        Height and width of the view in release pixels.
    phenotype : (traits,) array
        Log multipliers that cells follow more or less strongly, each with its own response.
    morphology : (traits,) array
        Log multipliers that all cells share.
    log_density : float
        Log factor on the cell type's number of cells.
    random : numpy.random.Generator
        Source of all draws.

    Returns
    -------
    Cells
        Those in the view and in a margin around it.
    """
    density = float(np.exp(log_density + phenotype[CELL_COUNT]))
    (y, x), tilt, room, own = _places(kind, side, density, random)
    normal = tables.normals(NORMALS).take(own[:, None] + np.arange(NORMALS))
    uniform = tables.uniforms(UNIFORMS).take(own[:, None] + np.arange(UNIFORMS))
    response = np.clip(1 + RESPONSE_SD * normal[:, :1], 0.2, 1.8)
    traits = np.exp(response * phenotype + morphology).astype(np.float32)
    return _grown(kind, (y, x, tilt), room, traits, normal[:, 1:], uniform)


def _grown(
    kind: CellType,
    places: tuple[Floats, Floats, Floats],
    room: Floats,
    traits: Floats,
    normal: Floats,
    uniform: Floats,
) -> Cells:
    """Give cells at these places their shapes and stains, from the traits and standard draws."""
    y, x, tilt = places
    trait = dict(zip(NAMES, traits.T, strict=True))
    rounded = uniform[:, 0] < ROUNDED
    angle = 1.4 * tilt + 0.45 * normal[:, 0]
    nucleus = 0.5 * kind.nucleus * trait["nucleus_size"] * np.exp(NUCLEUS_SD * normal[:, 1])
    nucleus *= room**NUCLEUS_FILLS
    nucleus[rounded] *= 0.6
    long = _elongation(kind.nucleus_elongation, normal[:, 2]) * trait["nucleus_elongation"]
    half_axes = _half_axes(nucleus, long)
    reach = kind.reach * trait["cell_size"] * np.exp(REACH_SD * normal[:, 3]) * room**CELL_FILLS
    reach[rounded] *= 0.4
    stretch = _elongation(kind.elongation, normal[:, 4])
    stretch[rounded] = 1
    brightness = np.exp(BRIGHTNESS_SD * normal[:, 5:6] + STAIN_SD * normal[:, 6:12])
    brightness[rounded] *= 2
    return Cells(
        x=x,
        y=y,
        cos=np.cos(angle),
        sin=np.sin(angle),
        nucleus=half_axes,
        body=_half_axes(reach, stretch),
        brightness=brightness.astype(np.float32),
        traits=traits,
        golgi=_golgi(nucleus, uniform[:, 1]),
        texture=uniform[:, 2:4] * SIDE,
        nucleoli=_nucleoli(half_axes, trait, uniform[:, 4:], normal[:, 12 : 12 + NUCLEOLI]),
    )


def _places(
    kind: CellType, side: float, density: float, random: np.random.Generator
) -> tuple[Floats, Floats, Floats, Ints]:
    """Draw where cells lie (y and x), the lie of their long axes, their room, their own numbers.

    Of many candidates those survive that lie where a smooth random field is high, which leaves
    holes; then cells push their close neighbours away. The candidates do not depend on density:
    of more cells all the fewer are some.
    """
    from scipy.spatial import cKDTree  # which every page would pay for, and few simulate

    extent = side + 2 * MARGIN
    typical = kind.cells_per_field * (extent / FIELD) ** 2
    count = int(np.ceil(CANDIDATES * typical))
    candidates = random.random((count, 2), dtype=np.float32) * np.float32(extent)
    own = random.integers(0, tables.STARTS, size=count)
    luck = random.gumbel(size=count)
    corner = random.integers(0, SIDE, size=(2, 2))
    n = min(max(1, int(typical * density + random.random())), count)
    height = _of_field(candidates, corner[0])
    kept = np.sort(np.argpartition(-(kind.clumping * height + luck), n - 1)[:n])
    places = candidates[kept]
    tilt = _of_field(places, corner[1])
    tree = cKDTree(places)
    near = tree.query(places, k=[NEIGHBOUR + 1])[0][:, 0]
    room = np.clip(near * np.sqrt(kind.cells_per_field) / FIELD, *LEAST_AND_MOST_ROOM)
    places = _pushed_apart(places, tree, 1.15 * kind.nucleus)
    return places.T - MARGIN, tilt, room.astype(np.float32), own[kept]


def _of_field(places: Floats, corner: Ints) -> Floats:
    """Return the smooth random field, cut at a corner, at places (cells, 2) in release pixels."""
    y, x = places.astype(np.int64).T
    y, x = (y + corner[0]) & (SIDE - 1), (x + corner[1]) & (SIDE - 1)
    return np.asarray(textures(1.0).room.take(y * SIDE + x))


def _pushed_apart(places: Floats, tree: cKDTree, distance: float, rounds: int = 2) -> Floats:
    """Move points (cells, 2) that lie nearer than a distance apart, in a few rounds."""
    one, other = tree.query_pairs(1.5 * distance, output_type="ndarray").T
    both = np.concatenate([one, other])
    y, x = places.T
    for _ in range(rounds):
        dy, dx = y.take(one) - y.take(other), x.take(one) - x.take(other)
        length = np.sqrt(dy * dy + dx * dx + np.float32(1e-6))
        push = np.clip(0.5 * (distance / length - 1), 0, 3)
        dy, dx = push * dy, push * dx
        y = y + np.bincount(both, np.concatenate([dy, -dy]), len(y))
        x = x + np.bincount(both, np.concatenate([dx, -dx]), len(x))
    return np.array([y, x], dtype=np.float32).T


def _elongation(typical: float, normal: Floats) -> Floats:
    """Length over width of cells that are typically so long, never less than 1."""
    return np.asarray(1 + (typical - 1) * np.exp(ELONGATION_SD * normal), dtype=np.float32)


def _half_axes(radius: Floats, elongation: Floats) -> Floats:
    root = np.sqrt(elongation)
    return np.array([radius * root, radius / root], dtype=np.float32).T


def _golgi(nucleus: Floats, uniform: Floats) -> Floats:
    """Place the Golgi apparatus just outside the nucleus."""
    angle = 2 * np.pi * uniform
    distance = 1.15 * nucleus
    return np.array([distance * np.cos(angle), distance * np.sin(angle)], dtype=np.float32).T


def _nucleoli(nucleus: Floats, trait: dict[str, Floats], uniform: Floats, normal: Floats) -> Floats:
    """Draw place and radius of each possible nucleolus: (cells, NUCLEOLI, 3)."""
    turn, out, present = uniform.reshape(-1, 3, NUCLEOLI).transpose(1, 0, 2)
    distance = 0.65 * np.sqrt(out)
    along = distance * np.cos(2 * np.pi * turn) * nucleus[:, :1]
    across = distance * np.sin(2 * np.pi * turn) * nucleus[:, 1:]
    exists = present < (2.2 / NUCLEOLI) * trait["nucleoli_count"][:, None]
    width = np.sqrt(nucleus[:, :1] * nucleus[:, 1:])
    radius = 0.24 * width * trait["nucleoli_size"][:, None] * np.exp(0.2 * normal)
    radius *= exists
    return np.array([along, across, radius], dtype=np.float32).transpose(1, 2, 0)
