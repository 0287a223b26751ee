"""Which runs each table, figure and page needs: plain loops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from rxrx_lib.models.methods import METHODS, method
from rxrx_lib.study.ablations import normalizations, table2
from rxrx_lib.study.channel_subsets import masked_runs, subset_runs
from rxrx_lib.study.choosing import choosing
from rxrx_lib.study.components import components
from rxrx_lib.study.few_experiments import table4
from rxrx_lib.study.profiles import BY_SITE, BY_WELL, SEPARATED, Profile
from rxrx_lib.study.reversal_tradeoff import CURVES, with_coefficient
from rxrx_lib.study.rivals import rivals
from rxrx_lib.study.similarity import figure7
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.strength import strength


def table1(profile: Profile) -> list[RunSpec]:
    """Return every method on the three splits, in every replicate."""
    return [
        profile.run(name, split, replicate)
        for replicate in profile.replicates
        for split in (SEPARATED, BY_SITE, BY_WELL)
        for name in METHODS
    ]


def separated_runs(profile: Profile) -> list[RunSpec]:
    """Return every method on the separated split, in every replicate: a part of Table 1."""
    return [spec for spec in table1(profile) if spec.split == SEPARATED]


def by_site_runs(profile: Profile) -> list[RunSpec]:
    """Return every method on the split by site, in every replicate: a part of Table 1.

    Their networks have seen every siRNA in every experiment; they answer on the second wells.
    """
    return [spec for spec in table1(profile) if spec.split == BY_SITE]


def negative_controls(profile: Profile) -> list[RunSpec]:
    """Return the runs whose outcome is known beforehand: each lacks what could be learnt."""
    if profile.screen is None:
        return []  # the release's effects cannot be switched off
    specs = []
    for replicate in profile.with_control_replicates().replicates:
        specs += [
            profile.run("baseline", SEPARATED, replicate, technical=0.0),
            profile.run("adabn", SEPARATED, replicate, technical=0.0),
            profile.run("baseline", SEPARATED, replicate, labels="shuffled"),
            profile.run("baseline", SEPARATED, replicate, phenotype=0.0),
        ]
    return specs


def prediction_statistics(profile: Profile) -> list[RunSpec]:
    """Return the runs of Table 1 whose weights are predicted with in several ways.

    AdaBN, whose layers have seen one experiment at a time, and the baseline, whose layers have not;
    on the separated split, in every replicate.
    """
    return [
        profile.run(name, SEPARATED, replicate)
        for replicate in profile.replicates
        for name in ("adabn", "baseline")
    ]


def reversal_tradeoff(profile: Profile) -> list[RunSpec]:
    """Return runs over reversal coefficients: held-out accuracy, and what tells the experiment.

    The methods without reversal are the coefficient 0.
    """
    return [
        with_coefficient(profile.run(name, split, replicate), coefficient)
        for replicate in profile.replicates[: profile.curve_replicates]
        for split in (profile.held_out_training(replicate), BY_SITE)
        for reversing, plain in CURVES.items()
        for name, coefficient in (
            (plain, None),
            *((reversing, each) for each in profile.reversal_coefficients),
        )
    ]


def table5(profile: Profile) -> list[RunSpec]:
    """Return the baseline with each normalisation."""
    return normalizations(profile, "baseline")


def table6(profile: Profile) -> list[RunSpec]:
    """Return AdaBN with each normalisation."""
    return normalizations(profile, "adabn")


CATALOGUE: dict[str, Callable[[Profile], list[RunSpec]]] = {
    "table1": table1,
    "negative_controls": negative_controls,
    "test_time_statistics": prediction_statistics,
    "reversal_tradeoff": reversal_tradeoff,
    "figure7": figure7,
    "table3": separated_runs,
    "figure6": separated_runs,
    "figure10": separated_runs,
    "table2": table2,
    "table4": table4,
    "table5": table5,
    "table6": table6,
    "figure8": lambda profile: masked_runs(profile) + subset_runs(profile),
    "figure9": subset_runs,
    "rivals": rivals,
    "strength": strength,
    "components": components,
}


def evaluations(profile: Profile) -> dict[str, int]:
    """Return the runs whose test accuracy is measured while they train, since pages draw its curve.

    Returns
    -------
    dict
        Ids to the epochs between two measurements; empty where the profile asks for none.
    """
    every, few = profile.evaluate_every, profile.few_experiments_evaluate_every
    found = {spec.id: every for spec in separated_runs(profile)}
    found |= {spec.id: every if few is None else few for spec in table4(profile)}
    return found if every else {}


def items_of(profile: Profile) -> list[str]:
    """Return the items of the catalogue that a profile runs."""
    return list(CATALOGUE if profile.items is None else profile.items)


ON_REQUEST: dict[str, Callable[[Profile], list[RunSpec]]] = {"choosing": choosing}
"""Items that no page needs: they run where they are named, and not with all others."""


def runs_for(
    items: Iterable[str], profile: Profile, methods: Collection[str] | None = None
) -> list[RunSpec]:
    """Return the runs that some items of the catalogue need, each once, in order.

    Parameters
    ----------
    items
        Keys of :data:`CATALOGUE` or :data:`ON_REQUEST`.
    profile
        The size of the study.
    methods
        Keep the runs of these methods only; all by default.

    Raises
    ------
    ValueError
        If an item is not in the catalogue, or a method is not known; the sentence lists those
        that are.
    """
    wanted = {method(name).name for name in (METHODS if methods is None else methods)}
    known = CATALOGUE | ON_REQUEST
    specs: dict[str, RunSpec] = {}
    for item in items:
        if item not in known:
            raise ValueError(f"item is {item!r}; choose one of {', '.join(known)}.")
        some = known[item](profile)
        specs.update((spec.id, spec) for spec in some if spec.method in wanted)
    return list(specs.values())
