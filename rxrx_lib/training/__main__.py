"""Train on several processes: ``torchrun --nproc-per-node N -m rxrx_lib.training …``.

The arguments are those of ``rxrx run``, which itself knows whether torchrun has started it.
"""

import sys

from rxrx_lib.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
