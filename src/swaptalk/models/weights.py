"""Weights of a module in a file: fp16 safetensors."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor, nn


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and persistent buffers as fp16 safetensors (integers and flags
    keep their type).
    """
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in module.state_dict().items()
    }
    path.write_bytes(save(tensors))  # save_file would make a file that its owner alone may read


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a file written by `save_weights`, in float32."""
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in load_file(path).items()
    }


def load_weights(module: nn.Module, path: Path) -> None:
    """Load weights written by `save_weights` into a module, as float32.

    Raises:
        RuntimeError: the file's tensors are not this module's.
    """
    module.load_state_dict(read_weights(path), strict=True)
