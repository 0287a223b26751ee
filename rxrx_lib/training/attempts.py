"""The tries that one training took, where some were killed before its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


class Attempts:
    """Remember this try, and those before it that a checkpoint hands on.

    Parameters
    ----------
    this
        What to remember of this try: strings, numbers, and dicts of these.
    clock
        Seconds, from any start.
    processor
        Seconds that this process has had a core, from any start: on a machine that is shared they
        say more of what the training costs.
    """

    def __init__(
        self,
        this: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self.earlier: list[dict[str, Any]] = []
        self._this = dict(this)
        self._clocks = {"seconds": clock, "processor_seconds": processor}
        self._since = {name: read() for name, read in self._clocks.items()}

    def so_far(self) -> list[dict[str, Any]]:
        """Return every try, this one last, with ``seconds`` and ``processor_seconds`` of each.

        What a killed try did after its last checkpoint was lost, and is not counted.
        """
        spent = {name: round(read() - self._since[name], 3) for name, read in self._clocks.items()}
        return [*self.earlier, {**self._this, **spent}]
