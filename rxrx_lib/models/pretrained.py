"""Weights for a backbone from a file that torchvision, or somebody with its networks, has saved."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

LAST_LAYERS = ("classifier", "fc")
# torchvision's files of DenseNets are older than its names: norm.1 has become norm1
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
COUNTER = "num_batches_tracked"  # older files lack it, and nothing here reads it


def load_weights(maps: nn.Module, path: Path, *, backbone: str, sha256: str = "") -> None:
    """Overwrite a backbone's weights and running statistics by those of a file.

    Parameters
    ----------
    maps
        As :func:`rxrx_lib.models.backbones.build_backbone` gives it.
    path
        A ``state_dict`` that ``torch.save`` wrote, of torchvision's whole network or of all but
        its last layer, which is left out. It is read as data: code in it is refused.
    backbone
        The backbone's name, for messages.
    sha256
        What the file's SHA-256 must be, in hexadecimal digits; empty for any.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is another file than the SHA-256 says, no ``state_dict``, or that of another
        architecture. ``maps`` is as it was then.

    Notes
    -----
    A stem for another number of channels is adapted by :func:`widened`.
    """
    found = trunk_weights(read_state_dict(path, sha256))
    wanted = {key: x for key, x in maps.state_dict().items() if not key.endswith(COUNTER)}
    stem = next(iter(wanted))
    if stem in found and found[stem].ndim == 4:
        found[stem] = widened(found[stem], wanted[stem].shape[1])
    _check_same(found, wanted, f"{path} holds no weights of {backbone}")
    for key, value in wanted.items():
        value.copy_(found[key])  # a state_dict's tensors are the module's own


def read_state_dict(path: Path, sha256: str = "") -> dict[str, Tensor]:
    """Read a file that holds tensors by name, and nothing else.

    Parameters
    ----------
    path, sha256
        See :func:`load_weights`, as for what is raised.
    """
    instead = "give a state_dict, as torch.save(network.state_dict(), file) writes it"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file of weights; {instead}.")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise ValueError(
            f"{path} has the SHA-256 {found}, expected {sha256}; give the very file that the run "
            "was planned with."
        )
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the bytes lead it to
        raise ValueError(
            f"{path} is damaged, or holds other things than tensors; {instead}."
        ) from error
    if not isinstance(state, Mapping) or not state:
        raise ValueError(
            f"{path} holds a {type(state).__name__} and no tensors by name; {instead}."
        )
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(
                f"{path} is no state_dict: its entry {key!r} is a {type(value).__name__}, expected "
                f"tensors only by name; {instead}."
            )
    return dict(state)


def trunk_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a torchvision network's entries under its backbone's names, without the last layer."""
    return {
        OLD_DENSENET.sub(r"\1\2", key.removeprefix("features.")): value
        for key, value in state.items()
        if key.split(".")[0] not in LAST_LAYERS and not key.endswith(COUNTER)
    }


def widened(filters: Tensor, channels: int) -> Tensor:
    """Adapt a stem's filters to another number of channels.

    Parameters
    ----------
    filters
        (F, c, h, w).
    channels
        Number of channels C that the stem is to take.

    Returns
    -------
    Tensor
        (F, C, h, w): for C = c the filters as they are; else each filter's mean over its channels
        times c / C in every channel, so that pictures whose channels are all alike get the
        responses that they got before.
    """
    before = filters.shape[1]
    if channels == before:
        return filters
    return filters.mean(1, keepdim=True).mul(before / channels).expand(-1, channels, -1, -1)


def _check_same(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], verdict: str) -> None:
    """Compare names and shapes; the first that differs is named."""
    instead = "give a file of that architecture, or name the backbone that it is of"
    missing = next((key for key in wanted if key not in found), None)
    if missing is not None:
        raise ValueError(
            f"{verdict}: it lacks {missing!r} of shape {tuple(wanted[missing].shape)}; {instead}."
        )
    for key, value in found.items():
        if key not in wanted:
            raise ValueError(
                f"{verdict}: its {key!r} of shape {tuple(value.shape)} is too many; {instead}."
            )
        if value.shape != wanted[key].shape:
            raise ValueError(
                f"{verdict}: its {key!r} has the shape {tuple(value.shape)}, expected "
                f"{tuple(wanted[key].shape)}; {instead}."
            )
