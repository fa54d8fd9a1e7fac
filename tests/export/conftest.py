"""The small datasets of the data part's tests."""

from ..data.conftest import make_dataset

__all__ = ["make_dataset"]
