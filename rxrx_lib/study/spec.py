"""What a run is: everything that changes the trained weights, and a hash of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.data.normalization import NORMALIZATIONS
from rxrx_lib.data.simulator import SIMULATOR_VERSION, ScreenSpec, TechnicalEffects
from rxrx_lib.evaluation.predictions import SPLIT_UNITS
from rxrx_lib.models.architectures import (
    AS_TRAINED,
    PARTS,
    SIBLINGS,
    check_backbone,
    check_picture_size,
)
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.identity import identity
from rxrx_lib.training.pools import require_known
from rxrx_lib.training.recipe import Recipe

DATA = ("simulated", "rxrx1", "rxrx1_controls")
LABELS = ("true", "shuffled")


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Which screen: its content, not where it lies."""

    name: str
    """``simulated``; ``rxrx1`` for the release; ``rxrx1_controls`` for its control wells alone."""
    screen: ScreenSpec | None = None
    """How the screen is simulated; None for the release."""
    simulator_version: int = SIMULATOR_VERSION
    """Goes up whenever the same ScreenSpec gives other pixels; 0 for the release."""
    downsample: int = field(default=1, metadata={"absent": 1})
    """Side of the square blocks of pixels of ``rxrx1_controls`` that become one pixel."""

    def __post_init__(self) -> None:
        """Check that the fields agree with the name."""
        if self.name not in DATA:
            raise ValueError(f"name is {self.name!r}; choose one of {', '.join(DATA)}.")
        if (self.name == "simulated") != (self.screen is not None):
            raise ValueError(
                f"screen is {self.screen} for name {self.name!r}; "
                "give a ScreenSpec for simulated and None for RxRx1."
            )
        allowed = (1, 2, 4, 8, 16) if self.name == "rxrx1_controls" else (1,)
        if self.downsample not in allowed:
            raise ValueError(
                f"downsample is {self.downsample!r} for name {self.name!r}; "
                f"expected {' or '.join(map(str, allowed))}."
            )


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """Which sites train and which test."""

    name: str
    """One of :data:`SPLIT_UNITS`, the splits of ``rxrx_lib.data.splits``."""
    unit: str = "experiment"
    """What stays on one side; see :data:`SPLIT_UNITS`."""
    seed: int = 0
    """Of the stratified draw, one for all runs; of few experiments; of those held out."""
    cell_type: str = field(default="", metadata={"absent": ""})
    """Whose experiments ``few_experiments`` takes; empty for the other splits."""
    n: int = field(default=0, metadata={"absent": 0})
    """How many experiments ``few_experiments`` trains on; 0 for the other splits."""

    def __post_init__(self) -> None:
        """Check that the fields agree with the name."""
        if self.name not in SPLIT_UNITS:
            raise ValueError(f"name is {self.name!r}; choose one of {', '.join(SPLIT_UNITS)}.")
        if self.unit not in SPLIT_UNITS[self.name]:
            raise ValueError(
                f"unit is {self.unit!r} in a {self.name} split; "
                f"choose {' or '.join(SPLIT_UNITS[self.name])}."
            )
        few = self.name == "few_experiments"
        asked = "give a cell type of the screen" if few else "only few_experiments takes one"
        if few != bool(self.cell_type):
            raise ValueError(f"cell_type is {self.cell_type!r} in a {self.name} split; {asked}.")
        asked = "give a whole number >= 1" if few else "only few_experiments takes one"
        if self.n < 0 or few != bool(self.n):
            raise ValueError(f"n is {self.n} in a {self.name} split; {asked}.")

    def __str__(self) -> str:
        """Say in words which split it is."""
        if self.name == "stratified":
            return f"by {self.unit}"
        if self.name == "held_out_training":
            return f"held-out training experiments, draw {self.seed}"
        return f"{self.n} of {self.cell_type}" if self.name == "few_experiments" else self.name


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The network, apart from what the data fix: its shape, and what its trunk starts from."""

    backbone: str = "densenet161"
    """A name of ``rxrx_lib.models.backbones.BACKBONES``."""
    embedding: int = 1024
    """Embedding size D, >= 1."""
    head_layers: int = field(default=1, metadata={"absent": 1})
    """Hidden layers of the experiment head, >= 0; 0 makes it linear."""
    head_width: int = field(default=0, metadata={"absent": 0})
    """Their size, >= 0; 0 is the embedding's."""
    weights_sha256: str = field(default="", metadata={"absent": ""})
    """Of the file of weights that the backbone starts from, in lower-case hexadecimal digits; empty
    for weights drawn at random. Where the file lies is a matter of the Runtime."""
    adapts: str = field(default="all", metadata={"absent": "all"})
    """Which part normalises each group by itself, one of ``rxrx_lib.models.architectures.PARTS``;
    the other one normalises the whole minibatch, which then has to pass one device at once."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_backbone(self.backbone)
        for name, minimum in (("embedding", 1), ("head_layers", 0), ("head_width", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < minimum:
                raise ValueError(f"{name} is {value!r}; give a whole number >= {minimum}.")
        if self.head_width and not self.head_layers:
            raise ValueError(
                f"head_width is {self.head_width} with head_layers 0; a head without hidden layers "
                "has no width: give 0."
            )
        if self.adapts not in PARTS:
            raise ValueError(f"adapts is {self.adapts!r}; choose one of {', '.join(PARTS)}.")
        if not re.fullmatch("([0-9a-f]{64})?", str(self.weights_sha256)):
            raise ValueError(
                f"weights_sha256 is {self.weights_sha256!r}; give the 64 hexadecimal digits that "
                "sha256sum prints for the file, or '' for weights drawn at random."
            )

    def __str__(self) -> str:
        """Say in words what is not as in the paper, or in its sibling on a laptop."""
        words = []
        if self.backbone not in ("densenet161", SIBLINGS["densenet161"]):
            words.append(self.backbone)
        if self.head_layers != 1 or self.head_width:
            width = f" of {self.head_width}" if self.head_width else ""
            words.append(f"experiment head {self.head_layers} hidden{width}")
        if self.weights_sha256:
            words.append(f"weights {self.weights_sha256[:8]}")
        if self.adapts != "all":
            words.append(f"{self.adapts} adapts")
        return " · ".join(words)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One training run."""

    data: DataSpec
    split: SplitSpec
    method: str
    """A name of ``rxrx_lib.models.methods.METHODS``."""
    network: NetworkSpec = field(default_factory=NetworkSpec)
    recipe: Recipe = field(default_factory=Recipe)
    labels: str = "true"
    """``shuffled`` permutes the training sites' classes: a negative control."""
    seed: int = 0
    """Of initial weights, order of sites, augmentation and shuffled labels."""
    normalization: str = field(default="self", metadata={"absent": "self"})
    """A name of ``rxrx_lib.data.normalization.NORMALIZATIONS``: which pixels give the mean and the
    standard deviation that a site is standardised by, in training and prediction."""
    channels: tuple[int, ...] = field(default=CHANNELS, metadata={"absent": CHANNELS})
    """Which of the six channels the network gets, counted from 1, rising; it has no others."""
    version: int = 1
    """Goes up whenever the same fields give other weights, as after a bug was mended."""

    def __post_init__(self) -> None:
        """Check the names, and that the pictures are large enough for the network."""
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; choose one of {', '.join(METHODS)}.")
        if self.labels not in LABELS:
            raise ValueError(f"labels is {self.labels!r}; choose one of {', '.join(LABELS)}.")
        if self.normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization is {self.normalization!r}; choose one of "
                f"{', '.join(NORMALIZATIONS)}."
            )
        if self.network.adapts != "all" and not METHODS[self.method].grouped:
            raise ValueError(
                f"adapts is {self.network.adapts!r} for method {self.method!r}, whose groups are "
                "of no one experiment; give all, or choose a method with groups."
            )
        require_channels("channels", self.channels, least=1)
        if self.data.screen is not None:
            check_picture_size(self.network.backbone, self.data.screen.image_size)

    @property
    def id(self) -> str:
        """16 hexadecimal digits that name this run everywhere."""
        return identity(self)

    def __str__(self) -> str:
        """Say in words which run it is."""
        where = self.data.name if self.data.screen is None else f"screen {self.data.screen.seed}"
        odd = [text for text in (str(self.network),) if text]
        odd += [] if self.labels == "true" else [f"{self.labels} labels"]
        odd += [] if self.normalization == "self" else [f"normalization {self.normalization}"]
        odd += [] if self.recipe.mixing == "cutmix" else [f"mixing {self.recipe.mixing}"]
        if self.channels != CHANNELS:
            odd.append(f"channels {', '.join(map(str, self.channels))}")
        odd += self.recipe.unusual()
        if self.data.screen is not None:
            factors = ("technical", "phenotype")
            set_to = {name: getattr(self.data.screen, name) for name in factors}
            odd += [f"{name} {factor:g}" for name, factor in set_to.items() if factor != 1]
            effects = self.data.screen.effects
            odd += [] if effects == TechnicalEffects() else [f"effects {effects}"]
        return " · ".join([self.method, str(self.split), where, f"seed {self.seed}", *odd])


@dataclass(frozen=True, kw_only=True)
class PredictSpec:
    """One way of predicting with a trained run."""

    statistics: str
    """What the network normalises by: a key of :data:`rxrx_lib.training.pools.STATISTICS`."""
    embeddings: bool = True
    """Whether embeddings are kept; then the training sites are predicted as well."""
    masked: tuple[int, ...] = field(default=(), metadata={"absent": ()})
    """Channels that are set to 0 after standardisation, in the sites predicted and in those that
    statistics are measured on; counted from 1, rising."""
    adapts: str = field(default=AS_TRAINED, metadata={"absent": AS_TRAINED})
    """Which part of the network is normalised so, one of ``rxrx_lib.models.architectures.PARTS``;
    the other one by its running statistics. By default the part that adapted in training."""

    def __post_init__(self) -> None:
        """Check the words and the channels."""
        require_known(self.statistics)
        require_channels("masked", self.masked, least=0)
        if self.adapts not in (AS_TRAINED, *PARTS):
            words = ", ".join((AS_TRAINED, *PARTS))
            raise ValueError(f"adapts is {self.adapts!r}; choose one of {words}.")
        if self.adapts != AS_TRAINED and self.statistics == "training":
            raise ValueError(
                f"adapts is {self.adapts!r} with statistics 'training', by which nothing adapts; "
                f"give {AS_TRAINED}, or other statistics."
            )

    def adapting(self, spec: RunSpec) -> str:
        """Return which part of a run's network adapts in this prediction."""
        return spec.network.adapts if self.adapts == AS_TRAINED else self.adapts


def require_channels(name: str, channels: tuple[int, ...], *, least: int) -> None:
    """Make sure that these are some of the six channels, each once, in order.

    Raises
    ------
    ValueError
        If they are not, or fewer than ``least``; ``name`` is what the sentence calls them.
    """
    rising = tuple(channel for channel in CHANNELS if channel in channels)
    if channels != rising or len(channels) < least:
        few = "one or more" if least else "some or none"
        raise ValueError(
            f"{name} is {channels!r}; give {few} of {', '.join(map(str, CHANNELS))} as a tuple, "
            "each once, rising."
        )
