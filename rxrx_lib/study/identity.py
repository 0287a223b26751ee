"""A hash that names settings everywhere: of their canonical JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

ID_DIGITS = 16


def identity(settings: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of the settings' canonical JSON."""
    return identity_of(canonical(settings))


def identity_of(stored: Mapping[str, Any]) -> str:
    """Return the identity of settings that are plain JSON values already, as in spec.json."""
    text = json.dumps(stored, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:ID_DIGITS]


def canonical(settings: Any) -> dict[str, Any]:
    """Return a settings dataclass as plain JSON values, the same for equal settings.

    All fields are in it, so that a changed default makes a new identity. A field that was added
    later carries ``metadata={"absent": value}``, the value that older runs had, and is left out
    where it has this value: old identities stay valid.

    Raises
    ------
    TypeError
        If a value is not of its field's declared type.
    ValueError
        If a number is not finite.
    """
    kind: type = type(settings)
    declared = _declared(kind)
    values = {}
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if "absent" not in each.metadata or value != each.metadata["absent"]:
            values[each.name] = _plain(value, declared[each.name], each.name)
    return values


@cache
def _declared(kind: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields; looking them up takes longer than all the rest."""
    return typing.get_type_hints(kind)


def _plain(value: Any, declared: Any, name: str) -> Any:
    """Return one value as JSON has it, by its declared type: 1 and 1.0 are one float."""
    if isinstance(declared, types.UnionType):
        if value is None:
            return None
        declared = next(kind for kind in declared.__args__ if kind is not types.NoneType)
    if dataclasses.is_dataclass(value):
        return canonical(value)
    if typing.get_origin(declared) is tuple:
        kinds = typing.get_args(declared)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        return [_plain(v, kind, name) for v, kind in zip(value, kinds, strict=True)]
    if declared is float and type(value) in (int, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}; give a finite number.")
        return float(value) + 0.0  # -0.0 becomes 0.0
    if type(value) is not declared:
        raise TypeError(f"{name} is {value!r}; give a value of type {declared}.")
    return value
