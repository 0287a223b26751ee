"""Which of the processes that share a training this one is."""

from __future__ import annotations

import os
from typing import NamedTuple


class PeerLost(RuntimeError):
    """Another process of the training has ended; the message says how to go on."""


class Peers(NamedTuple):
    """The place of this process among those that share each minibatch."""

    rank: int
    """0 to ``size - 1``."""
    size: int

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def agreed(self, flag: bool) -> bool:
        """Return the first process's flag, in all of them."""
        if self.size == 1:
            return flag
        import torch  # only here, so that a study is planned and read without it

        word = torch.tensor([float(flag)])
        torch.distributed.broadcast(word, 0)
        return bool(word.item())


ALONE = Peers(0, 1)


def started_by_torchrun() -> bool:
    """Tell whether this process is one of those that torchrun started."""
    return "TORCHELASTIC_RUN_ID" in os.environ
