"""Whether a stored run can be believed: that it is whole, and that its parts fit one another.

It cannot prove that a run was ever trained: whoever changes predictions, metrics and checksums
alike is not found out here. ``rxrx verify`` trains again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rxrx_lib.evaluation.answers import answered
from rxrx_lib.evaluation.predictions import COLUMNS, SCALARS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs
from rxrx_lib.study.derived import DERIVED_LIMIT, DERIVED_NAME, read_derived
from rxrx_lib.study.identity import ID_DIGITS, identity_of
from rxrx_lib.study.kept import NotKept, arrays_of
from rxrx_lib.study.reduction import SITES_FILE
from rxrx_lib.study.spec import PredictSpec

KEPT_OF_RESULT = ("metrics.json", "history.csv", "provenance.json")
TOLD_BY_PROVENANCE = ("code", "hardware", "ended", "seconds", "sha256", "data")
NEEDED = (*SCALARS, *COLUMNS, "top_sirna_id")
ROUNDING = 1e-6
"""Percentage points by which two ways of adding the same hits may differ."""


AWAY = "move it away, then run it again (rxrx run) or merge it again (rxrx merge)."


class Unsound(ValueError):
    """A run's parts do not fit one another."""


class LeftOut(UserWarning):
    """A run or a prediction in the store is not counted, since it is not sound."""


def store_faults(store: Path) -> list[str]:
    """Name everything in a store that is no sound run, one sentence each."""
    found = []
    for path in sorted(store.iterdir()) if store.is_dir() else ():
        if path.name.startswith("."):
            continue  # what is being written, or what a kill left
        if not re.fullmatch(f"[0-9a-f]{{{ID_DIGITS}}}", path.name) or not path.is_dir():
            found.append(f"{path} is no run; expected folders named by {ID_DIGITS} hex digits")
            continue
        run = runs.Run(path)
        fault = run_fault(run)
        found += [fault] if fault else []
        for prediction in predictions_of(run) if run.done and not fault else ():
            fault = prediction_fault(run, prediction) or derived_fault(prediction)
            found += [fault] if fault else []
    return [f"{fault}; {AWAY}" for fault in found]


def run_fault(run: runs.Run) -> str | None:
    """Say in a clause what is wrong with a run, if something is.

    Of a run that is not done, only the spec is looked at.
    """
    return _fault(_require_sound, (run,), _state(run))


def prediction_fault(run: runs.Run, prediction: Path) -> str | None:
    """Say in a clause what is wrong with one way of predicting, if something is."""
    return _fault(_require_sound_prediction, (run, prediction), _state(run))


def spec_of(run: runs.Run) -> dict[str, Any]:
    """Return the stored spec of a run.

    Raises
    ------
    Unsound
        If it is not there, or does not hash to the folder's name.
    """
    path = run.path / "spec.json"
    if not path.is_file():
        raise Unsound(f"{path} is not there")
    spec = runs.read_json(path)
    if identity_of(spec) != run.id:
        raise Unsound(f"{path} holds the spec of run {identity_of(spec)}")
    return spec


def _require_sound(run: runs.Run) -> None:
    spec = spec_of(run)
    if not run.done:
        return
    for name in KEPT_OF_RESULT:
        if not (run.result / name).is_file():
            raise Unsound(f"{run.result / name} is not there")
    source, metrics = run.provenance(), run.metrics()
    missing = [name for name in TOLD_BY_PROVENANCE if name not in source]
    if missing:
        raise Unsound(f"{run.result}/provenance.json lacks {', '.join(missing)}")
    for name in KEPT_OF_RESULT[:2]:
        if runs.file_sha256(run.result / name) != source["sha256"].get(name):
            raise Unsound(
                f"{run.result / name} is not the file that the run wrote, by the SHA-256 in "
                "provenance.json"
            )
    if source.get("run", run.id) != run.id:  # older runs did not keep their name
        raise Unsound(f"{run.result} is the result of run {source['run']}")
    made_on, asked = source["data"]["identity"], identity_of(spec["data"])
    if made_on != asked:
        raise Unsound(f"{run.result} was made on data {made_on}, and spec.json asks for {asked}")
    for name, of_spec in (("split", "name"), ("unit", "unit")):
        if metrics.get(name) != spec["split"][of_spec]:
            raise Unsound(
                f"{run.result}/metrics.json has {name} {metrics.get(name)!r}, and spec.json asks "
                f"for {spec['split'][of_spec]!r}"
            )
    if spec["method"] in METHODS:
        own = run.stored_prediction(PredictSpec(statistics=METHODS[spec["method"]].statistics))
        if own is not None:
            if fault := prediction_fault(run, own):  # which keeps what it finds
                raise Unsound(fault)
            if runs.read_json(own / "metrics.json") != metrics:
                raise Unsound(f"{run.result}/metrics.json differs from {own}/metrics.json")


def _require_sound_prediction(run: runs.Run, prediction: Path) -> None:
    if not (prediction / "metrics.json").is_file():
        raise Unsound(f"{prediction}/metrics.json is not there")
    later = prediction / "provenance.json"
    if later.exists():
        of_weights = runs.read_json(later).get("weights_sha256")
        if of_weights != run.provenance()["sha256"].get("weights.pt"):
            raise Unsound(
                f"{prediction} was predicted with weights {str(of_weights)[:8]}, which are not the "
                "run's"
            )
        recorded = runs.read_json(later).get("sha256", {}).get("metrics.json")
        if recorded and recorded != runs.file_sha256(prediction / "metrics.json"):
            raise Unsound(
                f"{prediction}/metrics.json is not the file that was written, by the SHA-256 in "
                "provenance.json"
            )
    stored = runs.read_json(prediction / "metrics.json")
    try:
        counted = answered(arrays_of(prediction, NEEDED))
    except (KeyError, IndexError) as error:
        raise Unsound(f"{prediction} holds no predictions ({error})") from error
    for name, value in counted.items():
        if name in stored and not _agree(value, stored[name]):
            raise Unsound(
                f"{prediction}/metrics.json says {name} {stored[name]}, and its predictions give "
                f"{value}"
            )


def derived_fault(prediction: Path) -> str | None:
    """Say in a clause what is wrong with a prediction's derived files, if something is."""
    for path in sorted((prediction / "derived").glob("[!.]*")):
        if not DERIVED_NAME.fullmatch(path.name) or path.stat().st_size > DERIVED_LIMIT:
            pattern = DERIVED_NAME.pattern
            return f"{path} is no {pattern} of at most {DERIVED_LIMIT} bytes"
        try:
            read_derived(prediction, path.name)
        except ValueError as error:
            return str(error).partition("; move")[0]
    return None


def _agree(counted: Any, stored: Any) -> bool:
    if isinstance(counted, Mapping):
        return (
            isinstance(stored, Mapping)
            and counted.keys() == stored.keys()
            and all(_agree(counted[name], stored[name]) for name in counted)
        )
    if isinstance(counted, float):
        return isinstance(stored, int | float) and math.isclose(
            counted, stored, rel_tol=0.0, abs_tol=ROUNDING
        )
    return bool(counted == stored)


def predictions_of(run: runs.Run) -> list[Path]:
    """Return the folders of a run's ways of predicting."""
    folders = run.predictions.iterdir() if run.predictions.is_dir() else ()
    return sorted(path for path in folders if path.is_dir() and not path.name.startswith("."))


def _state(run: runs.Run) -> object:
    """Return what changes whenever somebody writes a file that is checked."""
    top = [path for path in (run.path / "spec.json", run.path / SITES_FILE) if path.exists()]
    of_ways = (*run.predictions.glob("*/*"), *run.predictions.glob("*/derived/*"))
    stats = [(str(path), path.stat()) for path in (*top, *run.result.glob("*"), *of_ways)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in sorted(stats))


@lru_cache(maxsize=4096)
def _fault(check: Callable[..., None], of: tuple[Any, ...], state: object) -> str | None:
    """Return the fault that a check finds; a process checks unchanged files once."""
    run: runs.Run = of[0]
    try:
        check(*of)
    except (ValueError, NotKept, OSError) as error:
        return str(error).partition("; move")[0].rstrip(".")
    except (TypeError, AttributeError, KeyError) as error:
        return f"{run.path} cannot be read ({type(error).__name__}: {error})"
    return None
