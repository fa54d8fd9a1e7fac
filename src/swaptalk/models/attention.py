"""Multi-head cross-attention, shared by the swap transformer and the lip-sync U-Net."""

from __future__ import annotations

from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Scaled dot-product attention whose queries come from one sequence and whose keys and values
    from another.

    Args:
        width: channels of the query sequence and of the result; divisible by ``heads``.
        context_width: channels of the key and value sequence.
        heads: attention heads.
    """

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels cannot be split into {heads} heads")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(context_width, width)
        self.value = nn.Linear(context_width, width)
        self.output = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        return x.reshape(n, length, self.heads, width // self.heads).transpose(1, 2)

    def context(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (N, heads, S, width / heads) of a context (N, S, context_width); they can
        be kept.
        """
        return self._split(self.key(context)), self._split(self.value(context))

    def attend(self, x: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
        """(N, L, width) with keys and values from `context` -> (N, L, width).

        ``bias`` (heads, L, S) is added to the scaled products of queries and keys.
        """
        n, length, width = x.shape
        query = self._split(self.query(x))
        # Written out: the fused kernel with a bias gives NaN on CPUs when compiled in bfloat16
        # (torch 2.13).
        score = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if bias is not None:
            score = score + bias
        mixed = score.softmax(dim=-1).to(value.dtype) @ value
        result: Tensor = self.output(mixed.transpose(1, 2).reshape(n, length, width))
        return result

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, L, width), (N, S, context_width) -> (N, L, width)."""
        return self.attend(x, *self.context(context))
