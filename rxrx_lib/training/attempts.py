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
    """

    def __init__(
        self, this: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.earlier: list[dict[str, Any]] = []
        self._this = dict(this)
        self._clock = clock
        self._since = clock()

    def so_far(self) -> list[dict[str, Any]]:
        """Return every try, this one last, each with the ``seconds`` that went into the training.

        What a killed try did after its last checkpoint was lost, and is not counted.
        """
        seconds = round(self._clock() - self._since, 3)
        return [*self.earlier, {**self._this, "seconds": seconds}]
