"""Inspect an ONNX file without loading it: operators, versions, interface, external weights.

ONNX files are protocol buffers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Of that
format only the fields named here are read, and inference engines see a file only after it has been
checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

#: Names of element types by their numbers (TensorProto.DataType), and bytes of an element.
ELEMENT_TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
ELEMENT_BYTES = {
    "float32": 4,
    "uint8": 1,
    "int8": 1,
    "int32": 4,
    "int64": 8,
    "bool": 1,
    "float16": 2,
    "float64": 8,
}

Fields = dict[int, list[int | bytes]]


@dataclass(frozen=True)
class Tensor:
    """A tensor's name, element type and shape (None: a size that varies)."""

    name: str
    kind: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Weight(Tensor):
    """Constant of a graph; ``external`` says by key where it lies outside of the file, None:
    inside.
    """

    external: dict[str, str] | None


@dataclass(frozen=True)
class Graph:
    """Content of a file, for validation."""

    opsets: dict[str, int]
    """Version of the operator set by domain."""
    operators: frozenset[str]
    """Types of the nodes, those of foreign domains as ``domain::type``."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[Weight, ...]
    extras: frozenset[str]
    """Parts of the format that no bundle uses: functions, training, nested graphs, sparse or
    external attributes."""


def parse(data: bytes) -> Graph:
    """Read an ONNX file.

    Raises:
        ValueError: it is not an ONNX file, or damaged.
    """
    model = _fields(memoryview(data))
    extras = {name for name, field in (("training", 20), ("functions", 25)) if model[field]}
    graphs = model[7]
    if len(graphs) != 1:
        raise ValueError("not one graph")
    graph = _fields(_bytes(graphs[0]))
    if graph[15]:
        extras.add("sparse weights")
    operators = set()
    for raw in graph[1]:
        node = _fields(_bytes(raw))
        domain, operator = _text(node, 7), _text(node, 4)
        operators.add(operator if domain in ("", "ai.onnx") else f"{domain}::{operator}")
        for attribute in (_fields(_bytes(part)) for part in node[5]):
            if attribute[6] or attribute[11]:
                extras.add("nested graphs")
            tensors = [_weight(_bytes(part)) for part in (*attribute[5], *attribute[10])]
            if (
                attribute[22]
                or attribute[23]
                or any(tensor.external is not None for tensor in tensors)
            ):
                extras.add("weights in attributes")
    return Graph(
        opsets={
            _text(one, 1) or "ai.onnx": _number(one, 2)
            for one in map(_fields, map(_bytes, model[8]))
        },
        operators=frozenset(operators),
        inputs=tuple(_value(_bytes(raw)) for raw in graph[11]),
        outputs=tuple(_value(_bytes(raw)) for raw in graph[12]),
        weights=tuple(_weight(_bytes(raw)) for raw in graph[5]),
        extras=frozenset(extras),
    )


def _weight(data: memoryview) -> Weight:
    tensor = _fields(data)
    shape: list[int] = []
    for part in tensor[1]:  # packed or one by one
        shape += [part] if isinstance(part, int) else list(_varints(part))
    entries = [_fields(_bytes(raw)) for raw in tensor[13]]
    external = {_text(entry, 1): _text(entry, 2) for entry in entries}
    outside = bool(entries) or _number(tensor, 14) != 0
    return Weight(
        _text(tensor, 8), _kind(_number(tensor, 2)), tuple(shape), external if outside else None
    )


def _value(data: memoryview) -> Tensor:
    info = _fields(data)
    kind, shape = "", []
    for raw in info[2]:
        for tensor in (_fields(_bytes(part)) for part in _fields(_bytes(raw))[1]):
            kind = _kind(_number(tensor, 1))
            for dimensions in tensor[2]:
                sizes = [_fields(_bytes(one)) for one in _fields(_bytes(dimensions))[1]]
                shape = [_number(size, 1) if size[1] else None for size in sizes]
    return Tensor(_text(info, 1), kind, tuple(shape))


def _kind(number: int) -> str:
    return ELEMENT_TYPES.get(number, f"type {number}")


def _fields(data: memoryview) -> defaultdict[int, list[int | bytes]]:
    """Return the fields of a message by number: integers, or bytes."""
    found: defaultdict[int, list[int | bytes]] = defaultdict(list)
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(data, position)
            found[field].append(value)
            continue
        length = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            length, position = _varint(data, position)
        if length is None or position + length > len(data):
            raise ValueError("damaged field")
        found[field].append(data[position : position + length])  # type: ignore[arg-type]
        position += length
    return found


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("damaged number")


def _varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(memoryview(data), position)
        yield value


def _bytes(value: int | bytes) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message should be")
    return memoryview(value)


def _number(fields: Fields, field: int) -> int:
    value = fields.get(field) or [0]
    if not isinstance(value[-1], int):
        raise ValueError("a message where a number should be")
    return value[-1]


def _text(fields: Fields, field: int) -> str:
    value = fields.get(field) or [b""]
    return bytes(_bytes(value[-1])).decode("utf-8")
