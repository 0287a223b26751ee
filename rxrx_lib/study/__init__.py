"""The paper as data: runs, profiles, tables. Importing it, and reading results, needs no torch."""

from rxrx_lib.study.require import require
from rxrx_lib.study.spec import RunSpec

__all__ = ["RunSpec", "require"]
