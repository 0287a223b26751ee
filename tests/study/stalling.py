"""`rxrx` with a tiny profile, for tests that kill it.

    python -m tests.study.stalling [--stall] run --profile tiny --only one --data DIR --runs DIR

With --stall, training in this process stands still in the third epoch: what is in the store then
does not depend on how fast the machine is.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from rxrx_lib import cli
from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.profiles import PROFILES
from tests.study.tiny import BY_SITE, PROFILE, run_spec

EPOCHS = 5
STALLED = "stalled"
ONE = run_spec("adabn_gradient_reversal", BY_SITE, epochs=EPOCHS)
LONG = run_spec(epochs=20)
PAIR = [run_spec(seed=seed) for seed in range(2)]
DOUBLE = run_spec("adabn_gradient_reversal", BY_SITE, epochs=2, precision="fp64")


def register(profiles: dict[str, Any], catalogue: dict[str, Any]) -> None:
    """Make the profile known, and items of one run each, `ONE`, `LONG`, `DOUBLE`, or of two."""
    profiles["tiny"] = PROFILE
    catalogue["one"] = lambda profile: [ONE]
    catalogue["long"] = lambda profile: [LONG]
    catalogue["pair"] = lambda profile: PAIR
    catalogue["double"] = lambda profile: [DOUBLE]


def stall_in_the_third_epoch() -> None:
    from rxrx_lib.training import fit

    augment = fit.augment

    def stalling(*sites: Any, key: Any, **settings: Any) -> Any:
        if (key.epoch, key.step) == (2, 1):
            print(STALLED, flush=True)
            time.sleep(600)
        return augment(*sites, key=key, **settings)

    fit.augment = stalling


if __name__ == "__main__":
    register(PROFILES, CATALOGUE)
    words = sys.argv[1:]
    if words[0] == "--stall":
        words.pop(0)
        stall_in_the_third_epoch()
    sys.exit(cli.main(words))
