"""The RxRx1 batch-correction paper, re-implemented and re-executed."""

__version__ = "0.1.0"
