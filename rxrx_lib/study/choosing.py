"""What the paper leaves unsaid, chosen by accuracy on held-out training experiments.

Every method is given the same number of trainings. No test experiment is read; and simulated
screens are those for development, of which no other number is reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from rxrx_lib.evaluation.intervals import Interval, t_interval
from rxrx_lib.models.methods import METHODS, Method, method
from rxrx_lib.study.profiles import Profile, Replicate
from rxrx_lib.study.spec import RunSpec

Setting = Mapping[str, float]
"""Field of the recipe to its value."""

PLAIN: tuple[Setting, ...] = tuple(
    {"weight_decay": decay, "mixing_alpha": alpha}
    for alpha in (1.0, 0.3)
    for decay in (1e-5, 1e-4, 1e-3)
)
"""For methods that do not reverse. Public code has weight decays of 1e-5 and 1e-4, and a stronger
one is as far on the other side; CutMix's alpha is 1 in its paper, and a smaller one, which mixes
less, was usual for MixUp."""
REVERSING: tuple[Setting, ...] = tuple(
    {"reversal_coefficient": coefficient, "weight_decay": decay}
    for coefficient in (0.1, 0.3, 1.0)
    for decay in (1e-4, 1e-3)
)
"""For methods that reverse. Public code has the coefficients 0.1 and 1; below lies the method
without reversal, and what lies above is in the item ``reversal_tradeoff``."""

REPLICATES = 3
"""Trainings of each candidate."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One setting of one method, and the runs that judge it."""

    method: str
    setting: Setting
    recipe: bool
    """Whether it is what the profile trains with anyway."""
    specs: tuple[RunSpec, ...]
    """One a replicate."""

    @property
    def words(self) -> str:
        """Name the setting."""
        return setting_words(self.setting)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What came out for one method."""

    tried: tuple[Candidate, ...]
    accuracy: tuple[tuple[float, ...], ...]
    """Of each candidate in each replicate, in percent of the held-out experiments' sites."""
    treatments: tuple[tuple[float, ...], ...]
    """The same among treatments alone."""

    @property
    def best(self) -> int:
        """Place of the highest mean accuracy; of equal ones the recipe, then the first."""
        means = [sum(values) / len(values) for values in self.accuracy]
        return max(range(len(means)), key=lambda at: (means[at], self.tried[at].recipe, -at))


def settings(of: Method) -> tuple[Setting, ...]:
    """Return the candidates of a method: as many as every other method has."""
    return REVERSING if of.reverses else PLAIN


def setting_words(setting: Setting) -> str:
    """Name a setting."""
    return ", ".join(f"{name} = {value:g}" for name, value in setting.items())


def development_replicates(profile: Profile) -> tuple[Replicate, ...]:
    """Return the replicates to choose by: screens that no result is reported from.

    Of the release there is one screen; its replicates differ in what is held out and in training.
    """
    if profile.screen is None:
        return profile.replicates[:REPLICATES]
    return tuple(Replicate(screen_seed=at, seed=at) for at in range(REPLICATES))


def candidates(profile: Profile, methods: Collection[str] | None = None) -> list[Candidate]:
    """Return every candidate of every method, or of some.

    Raises
    ------
    ValueError
        If a method is not known; the sentence lists those that are.
    """
    wanted = {method(name).name for name in (METHODS if methods is None else methods)}
    found = []
    for name in METHODS:
        for setting in settings(METHODS[name]) if name in wanted else ():
            recipe = dataclasses.replace(profile.recipe, **setting)  # type: ignore[arg-type]
            specs = tuple(
                dataclasses.replace(
                    profile.run(name, profile.held_out_training(replicate), replicate),
                    recipe=recipe,
                )
                for replicate in development_replicates(profile)
            )
            same = recipe == profile.recipe
            found.append(Candidate(method=name, setting=setting, recipe=same, specs=specs))
    return found


def choosing(profile: Profile) -> list[RunSpec]:
    """Return the runs of all candidates."""
    return [spec for each in candidates(profile) for spec in each.specs]


def choices(tried: Sequence[Candidate], results: pd.DataFrame) -> dict[str, Choice]:
    """Return what came out, by method.

    Parameters
    ----------
    tried
        All of them done.
    results
        Of their runs, as :func:`rxrx_lib.study.results.gather` gives them.
    """

    def of(metric: str, some: Sequence[Candidate]) -> tuple[tuple[float, ...], ...]:
        by_run = dict(zip(results["id"], results[metric].astype(float), strict=True))
        return tuple(tuple(by_run[spec.id] for spec in each.specs) for each in some)

    found = {}
    for name in dict.fromkeys(each.method for each in tried):
        some = tuple(each for each in tried if each.method == name)
        found[name] = Choice(
            tried=some,
            accuracy=of("accuracy", some),
            treatments=of("accuracy_treatments", some),
        )
    return found


def gain(choice: Choice, at: int) -> Interval | None:
    """Return a candidate's paired difference from the profile's recipe, with its t interval.

    None where the recipe is not among the candidates.
    """
    known = [place for place, each in enumerate(choice.tried) if each.recipe]
    if not known:
        return None
    pairs = zip(choice.accuracy[at], choice.accuracy[known[0]], strict=True)
    return t_interval([tried - recipe for tried, recipe in pairs])
