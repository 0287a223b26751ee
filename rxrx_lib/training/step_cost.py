"""What a training step and a prediction cost a site, counted without computing anything.

The network's own operations run on torch's ``meta`` device, where tensors have shapes and no
values; what each would do is added up. Legend: B sites of a minibatch, C channels, H = W.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from rxrx_lib.models.adabn import GroupBatchNorm

READ_TWICE = (torch.ops.aten.native_batch_norm, torch.ops.aten.native_batch_norm_backward)
"""Operations that need a sum over all their input before they can begin to write."""

GROUPS = (32, 64)
"""Sites of the two groups that are counted: enough that activations outweigh the weights."""


class SiteCost(NamedTuple):
    """What one site costs, whatever the minibatch; the weights' own share is left out."""

    forward_flops: int
    """Of convolutions and matrix products, two for a multiplication and its addition."""
    training_flops: int
    """The same, forward and backward."""
    forward_bytes: int
    """Read and written by all operations, if each reads its inputs and writes its outputs once
    (normalisation reads them twice)."""
    training_bytes: int
    """The same, forward and backward."""
    kept_bytes: int
    """What the forward pass keeps for the backward pass."""
    peak_bytes: int
    """Most bytes of tensors at once in a training step."""


def site_cost(
    build: Callable[[int], nn.Module],
    *,
    channels: int,
    image_size: int,
    precision: str,
) -> SiteCost:
    """Count one site's share of a training step.

    Parameters
    ----------
    build
        From a group size to the network, which maps images to a tensor or several.
    channels, image_size
        C, and H = W in pixels.
    precision
        ``fp32``, ``bf16`` (activations of two bytes, as autocast makes them) or ``fp64``.

    Returns
    -------
    SiteCost
        The difference between two groups, divided by how many sites one has more: what does not
        grow with the sites, as weights and their gradients, is in both.
    """
    fewer, more = (_counted(build, sites, channels, image_size, precision) for sites in GROUPS)
    extra = GROUPS[1] - GROUPS[0]
    return SiteCost(*(round((b - a) / extra) for a, b in zip(fewer, more, strict=True)))


def parameters(build: Callable[[int], nn.Module]) -> int:
    """Return the number of weights of a network, without making one of them."""
    with torch.device("meta"):
        return sum(each.numel() for each in build(2).parameters())


def _counted(
    build: Callable[[int], nn.Module], sites: int, channels: int, image_size: int, precision: str
) -> SiteCost:
    """Count a forward and a backward pass of one group of so many sites."""
    with torch.device("meta"):
        network = _in_precision(build(sites).train(), precision)
    kind = next(p.dtype for p in network.parameters() if p.ndim > 1)
    counter, kept = _Counter(), _Kept()
    with counter:
        images = torch.empty(sites, channels, image_size, image_size, dtype=kind, device="meta")
        with torch.autograd.graph.saved_tensors_hooks(kept.keep, lambda tensor: tensor):
            outputs = [each for each in tree_leaves(network(images)) if each.requires_grad]
        flops, moved, held = counter.flops, counter.moved, kept.total
        kept.forget()
        torch.autograd.backward(outputs, [torch.empty_like(each) for each in outputs])
    return SiteCost(flops, counter.flops, moved, counter.moved, held, counter.peak)


def _in_precision(network: nn.Module, precision: str) -> nn.Module:
    """Give weights the type in which they are multiplied; normalisation's stay float32."""
    if precision == "fp64":
        return network.double()
    if precision == "bf16":
        network.to(torch.bfloat16)
        for layer in network.modules():
            if isinstance(layer, GroupBatchNorm | nn.BatchNorm1d | nn.BatchNorm2d):
                layer.float()
    return network


class _Kept:
    """Add up the memory behind the tensors that autograd saves, each piece once."""

    def __init__(self) -> None:
        self._pieces: dict[int, Any] = {}

    def keep(self, tensor: Tensor) -> Tensor:
        piece = tensor.untyped_storage()
        self._pieces[piece._cdata] = piece
        return tensor

    @property
    def total(self) -> int:
        return sum(piece.nbytes() for piece in self._pieces.values())

    def forget(self) -> None:
        self._pieces.clear()


class _Counter(TorchDispatchMode):
    """Add up what operations compute, read and write, and follow how much memory is alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.flops = 0
        self.moved = 0
        self.peak = 0
        self._alive = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        done = operation(*args, **(kwargs or {}))
        written = _tensors(done)
        if not operation.is_view and "empty" not in operation.name():
            read = _tensors((args, kwargs))
            times = 2 if operation.overloadpacket in READ_TWICE else 1
            self.moved += times * sum(map(_bytes, read)) + sum(map(_bytes, written))
        if operation.overloadpacket in flop_registry:
            arithmetic = flop_registry[operation.overloadpacket]
            self.flops += arithmetic(*args, **(kwargs or {}), out_val=done)
        for tensor in written:
            self._follow(tensor.untyped_storage())
        return done

    def _follow(self, piece: Any) -> None:
        """Count a piece of memory until it is given back."""
        key = piece._cdata
        if key in self._known:
            return
        size = piece.nbytes()
        self._alive += size
        self.peak = max(self.peak, self._alive)

        def given_back(reference: object) -> None:
            del self._known[key]
            self._alive -= size

        self._known[key] = weakref.ref(piece, given_back)


def _tensors(tree: Any) -> list[Tensor]:
    """Return the tensors of nested arguments, each once."""
    leaves: Iterable[Any] = tree_leaves(tree)
    return list({id(leaf): leaf for leaf in leaves if isinstance(leaf, Tensor)}.values())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
