"""What the paper finds about augmentation, depth, channels and normalisation: the ablations."""

from __future__ import annotations

import numpy as np

from rxrx_lib.study.effects import Effect, difference
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.ledger import Place
from rxrx_lib.study.paper import METHODS, NORMALIZATIONS, ROW_LABELS

AUGMENTATION = "Augmentation and depth"
CHANNELS = "Channels"
NORMALIZATION = "Normalisation"

OF_STAINS = "what a stain tells belongs to RxRx1's stains and cells, and the simulator's are drawn"
OF_SIZE = "the size of an accuracy belongs to RxRx1's pictures"
BOTH_COLUMNS = {name: METHODS[name] for name in ("baseline", "adabn")}
SHARE = 5.0
"""A difference of shares, in percent of the sum, that matters; six equal shares are 16.7."""


def _rows_apart(row: str, other: str, columns: dict[str, str]) -> tuple[Effect, ...]:
    """Return a row of table 2 minus another, by column."""
    return tuple(
        difference(("table2", row, column), ("table2", other, column), label)
        for column, label in columns.items()
    )


def _self_apart(item: str) -> tuple[Effect, ...]:
    """Return self-standardisation minus each other normalisation."""
    return tuple(
        difference((item, "self", "accuracy"), (item, name, "accuracy"), f"against {label.lower()}")
        for name, label in NORMALIZATIONS.items()
        if name != "self"
    )


def _subset(channels: str) -> Place:
    return ("figure9", f"channels_{channels}", "accuracy")


def _without_channel_6(subsets: tuple[str, ...]) -> tuple[Effect, ...]:
    """Return subsets of channels minus all six."""
    return tuple(difference(_subset(s), _subset("123456"), f"channels {s}") for s in subsets)


def _shapley(channel: int, method: str, how: str) -> Place:
    """Return where a Shapley value stands: ``retrained`` or ``masked``."""
    return ("figure8", f"{method}_{how}", f"channel_{channel}")


def _share_apart(method: str, channel: int) -> Effect:
    """Return a channel's share of all Shapley values, a method minus the baseline, in percent."""
    places = [
        _shapley(each, name, "masked") for name in (method, "baseline") for each in range(1, 7)
    ]

    def of(*values: float) -> float:
        own, base = np.split(np.array(values), 2)
        return float(100 * (own[channel - 1] / own.sum() - base[channel - 1] / base.sum()))

    return Effect(label=f"{METHODS[method]}, channel {channel}", places=tuple(places), of=of)


def _channels_apart(first: tuple[int, ...], sign: float) -> Effect:
    """Return the nearest of some channels' Shapley values minus the nearest of all others'."""
    order = [*first, *(each for each in range(1, 7) if each not in first)]
    places = tuple(_shapley(each, "baseline", "retrained") for each in order)

    def of(*values: float) -> float:
        some, others = np.split(sign * np.array(values), [len(first)])
        return float(sign * (some.min() - others.max()))

    return Effect(label="", places=places, of=of)


_AUGMENTATION = (
    Finding(
        id="cutmix_helps",
        topic=AUGMENTATION,
        where="section 5.3, table 2",
        statement="CutMix helps the baseline and AdaBN.",
        metric="separated accuracy, default minus without CutMix",
        kind="increase",
        effects=_rows_apart("default", "no_cutmix", BOTH_COLUMNS),
        replicates=3,
    ),
    Finding(
        id="mixup_beats_cutmix_for_baseline",
        topic=AUGMENTATION,
        where="section 5.3, table 2",
        statement="For the baseline MixUp does better than CutMix.",
        metric="separated accuracy, MixUp minus default",
        kind="increase",
        effects=_rows_apart("mixup", "default", {"baseline": ""}),
        replicates=3,
    ),
    Finding(
        id="mixup_not_for_adabn",
        topic=AUGMENTATION,
        where="section 5.3, table 2",
        statement="For AdaBN MixUp does not do better than CutMix.",
        metric="separated accuracy, MixUp minus default",
        kind="no_increase",
        effects=_rows_apart("mixup", "default", {"adabn": ""}),
        replicates=3,
    ),
    Finding(
        id="deeper_densenet_better",
        topic=AUGMENTATION,
        where="section 5.3, table 2",
        statement="The deeper DenseNet does better.",
        metric="separated accuracy, the default's minus the shallower DenseNet's",
        kind="increase",
        effects=_rows_apart("default", "densenet121", BOTH_COLUMNS),
        replicates=3,
    ),
    Finding(
        id="deeper_resnet_better",
        topic=AUGMENTATION,
        where="section 5.3, table 2",
        statement="The deeper ResNet does better.",
        metric="separated accuracy, the deeper ResNet's minus the shallower's",
        kind="increase",
        effects=_rows_apart("resnet101", "resnet50", BOTH_COLUMNS),
        replicates=3,
    ),
    Finding(
        id="adabn_helps_every_setting",
        topic=AUGMENTATION,
        where="section 5.3, table 2",
        statement="AdaBN helps with every augmentation and every backbone.",
        metric="separated accuracy, AdaBN minus baseline, in each row",
        kind="increase",
        effects=tuple(
            difference(("table2", row, "adabn"), ("table2", row, "baseline"), label)
            for row, label in ROW_LABELS["table2"].items()
        ),
        replicates=3,
    ),
)

_CHANNELS = (
    Finding(
        id="channels_2_and_4_most",
        topic=CHANNELS,
        where="section 5.6, figure 8",
        statement="Channels 2 and 4 matter most.",
        metric="Shapley value (baseline, retrained), the lower of the two minus the highest other",
        kind="increase",
        effects=(_channels_apart((2, 4), sign=1.0),),
        replicates=3,
        untestable=OF_STAINS,
    ),
    Finding(
        id="channel_6_least",
        topic=CHANNELS,
        where="section 5.6, figure 8",
        statement="Channel 6 matters least.",
        metric="Shapley value (baseline, retrained), channel 6 minus the lowest other",
        kind="decrease",
        effects=(_channels_apart((6,), sign=-1.0),),
        replicates=3,
        untestable=OF_STAINS,
    ),
    Finding(
        id="shapley_alike",
        topic=CHANNELS,
        where="caption of figure 8",
        statement="Channels matter about alike under every method.",
        metric="share of the channels' Shapley values (one model, channels masked), each method "
        "minus baseline, in each channel",
        kind="unchanged",
        effects=tuple(
            _share_apart(method, channel)
            for method in METHODS
            if method != "baseline"
            for channel in range(1, 7)
        ),
        margin=SHARE,
        unit="% of their sum",
        replicates=3,
    ),
    Finding(
        id="without_channel_6_better",
        topic=CHANNELS,
        where="section 5.6, figure 9",
        statement="The baseline does better without channel 6.",
        metric="separated accuracy, channels 1 to 5 minus all six",
        kind="increase",
        effects=_without_channel_6(("12345",)),
        printed=(Effect(label="", places=(("figure9", "channels_12345", "gain"),), of=float),),
        replicates=3,
        untestable=OF_STAINS,
    ),
    Finding(
        id="four_without_channel_6_better",
        topic=CHANNELS,
        where="section 5.6, figure 9",
        statement="Any four or five channels without channel 6 do better than all six.",
        metric="separated accuracy of the baseline, each such subset minus all six",
        kind="increase",
        effects=_without_channel_6(("1234", "1235", "1245", "1345", "2345", "12345")),
        replicates=3,
        untestable=OF_STAINS,
    ),
)

_NORMALIZATION = (
    Finding(
        id="self_best_for_baseline",
        topic=NORMALIZATION,
        where="section 5.7, table 5",
        statement="Self-standardisation is the best normalisation for the baseline.",
        metric="separated accuracy, self-standardisation minus each other",
        kind="increase",
        effects=_self_apart("table5"),
        replicates=3,
    ),
    Finding(
        id="self_fourteen_points",
        topic=NORMALIZATION,
        where="section 5.7, table 5",
        statement="Self-standardisation gains the baseline more than 14 points over the statistics "
        "of all training images.",
        metric="separated accuracy, self-standardisation minus all images, minus 14",
        kind="increase",
        effects=(
            Effect(
                label="",
                places=(("table5", "self", "accuracy"), ("table5", "training_all", "accuracy")),
                of=lambda own, every: own - every - 14,
            ),
        ),
        margin=0.1,
        replicates=3,
        untestable=OF_SIZE,
    ),
    Finding(
        id="self_best_for_adabn",
        topic=NORMALIZATION,
        where="section 5.7, table 6",
        statement="Self-standardisation is the best normalisation for AdaBN.",
        metric="separated accuracy, self-standardisation minus each other",
        kind="increase",
        effects=_self_apart("table6"),
        replicates=3,
    ),
)

OF_SETTINGS: tuple[Finding, ...] = (*_AUGMENTATION, *_CHANNELS, *_NORMALIZATION)
