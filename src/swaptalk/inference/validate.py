"""Validate a bundle of weights before an inference engine reads it: it may be untrusted.

Afterwards its files are what its config says (SHA-256), the config's numbers are in range, graphs
consist of known operators of a known version with the inputs and outputs that the pipeline uses,
and weights lie in the bundle's own safetensors files and nowhere else.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from swaptalk.errors import InputError
from swaptalk.inference import onnx_file
from swaptalk.inference.onnx_file import Graph, Tensor
from swaptalk.storage.hashing import sha256_of

#: Version of the bundle's layout; a bundle of another version is refused.
BUNDLE_FORMAT = 2
#: The config that makes a folder a bundle.
BUNDLE_NAME = "bundle.json"
#: Weights and graphs of a bundle; the name of a file says what is in it. ``quantizer`` is in older
#: bundles only.
WEIGHTS = ("vqgan", "swap", "lipsync", "audio")
GRAPHS = ("encoder", "decoder", "identity", "swap", "lipsync", "motion")
FORMER_GRAPHS = ("quantizer",)
#: Weights and graph, of the same name, that a bundle may do without.
OPTIONAL = ("restoration",)
#: Bytes: a config is 5 kB and a graph without its weights 0.6 MB; the largest network imaginable
#: here is far below.
MAX_CONFIG_BYTES, MAX_GRAPH_BYTES, MAX_WEIGHTS_BYTES = 1 << 20, 16 << 20, 512 << 20
#: Operator sets that both engines implement.
OPSETS = range(17, 24)
#: Operators that compute and do nothing else: no loops or branches with graphs inside, no other
#: domains.
OPERATORS = frozenset(
    (
        "Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Clip Concat "
        "ConcatFromSequence "
        "Constant ConstantOfShape Conv ConvTranspose Cos CumSum DepthToSpace Div Einsum Elu Equal "
        "Erf Exp Expand "
        "Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool Greater "
        "GreaterOrEqual GridSample "
        "GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization "
        "LayerNormalization LeakyRelu Less "
        "LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not OneHot Or "
        "PRelu Pad Pow Range "
        "Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize Round "
        "ScatterND SequenceAt "
        "SequenceConstruct Shape Sigmoid Sign Sin Size Slice Softmax Softplus SpaceToDepth Split "
        "SplitToSequence Sqrt "
        "Squeeze Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Where"
    ).split()
)
#: Largest absolute value of motion statistics, which are of the order of one.
_MAX_STATISTIC = 1e4


class _WrongError(Exception):
    """The bundle is not valid."""


def validated_config(directory: Path) -> dict[str, Any]:
    """Check a bundle and return its config.

    Raises:
        InputError: it is not a bundle, or a part of it is not valid.
    """
    config = _read_config(directory)
    if config.get("format") != BUNDLE_FORMAT:
        raise InputError(
            f"has bundle format {str(config.get('format'))[:20]}, this version reads "
            f"{BUNDLE_FORMAT}",
            path=directory / BUNDLE_NAME,
            remedy="export it again with this version",
        )
    part: Path = directory / BUNDLE_NAME
    try:
        _check_config(config)
        sizes = _check_files(directory, config["sha256"])
        for name in (*GRAPHS, *FORMER_GRAPHS, *OPTIONAL):
            part = directory / f"{name}.onnx"
            if part.name in sizes:
                _check_graph(name, onnx_file.parse(part.read_bytes()), config, sizes)
        part = directory / "vqgan.safetensors"
        _check_codebooks(part, config)
    except _WrongError as error:
        raise InputError(
            str(error), path=part, remedy="export the bundle again, or get it from its maker"
        ) from error
    except (ValueError, SafetensorError) as error:
        raise InputError(
            f"is damaged ({error})", path=part, remedy="get the bundle again"
        ) from error
    return config


def _read_config(directory: Path) -> dict[str, Any]:
    path = directory / BUNDLE_NAME
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
        config = json.loads(text) if len(text) <= MAX_CONFIG_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise _no_bundle(path) from error
    if not isinstance(config, dict) or "format" not in config:
        raise _no_bundle(path)
    return config


def _no_bundle(path: Path) -> InputError:
    return InputError(
        "is not a readable weights bundle",
        path=path,
        remedy="reinstall swaptalk, or point at an exported bundle",
    )


def _check_config(config: dict[str, Any]) -> None:
    hashes, motion = config.get("sha256"), config.get("motion")
    known = {f"{name}.safetensors" for name in (*WEIGHTS, *OPTIONAL)} | {
        f"{name}.onnx" for name in (*GRAPHS, *FORMER_GRAPHS, *OPTIONAL)
    }
    if not isinstance(hashes, dict) or not set(hashes) <= known:
        raise _WrongError("names files that no bundle has")
    networks = config.get("networks")
    held = tuple(name for name in OPTIONAL if isinstance(networks, dict) and name in networks)
    needed = {f"{name}.safetensors" for name in (*WEIGHTS, *held)} | {
        f"{name}.onnx" for name in (*GRAPHS, *held)
    }
    if not needed <= set(hashes):
        raise _WrongError(f"names no {', '.join(sorted(needed - set(hashes)))}")
    if not all(isinstance(value, str) and len(value) == 64 for value in hashes.values()):
        raise _WrongError("holds sums that are not SHA-256")
    lengths = {len(_statistics(motion, key)) for key in ("mean", "spread", "silence")}
    if len(lengths) != 1:
        raise _WrongError("holds motion statistics of different lengths")
    if min(_statistics(motion, "spread")) <= 0:
        raise _WrongError("holds a spread of motion that is not above 0")
    _size(config, "vqgan", "latent_channels", 4096)
    if _size(config, "lipsync", "motion_window", 101) % 2 == 0:
        raise _WrongError("has a motion window that is not odd")
    if _size(config, "swap", "width", 16384) % _size(config, "swap", "heads", 256):
        raise _WrongError("has a width that its heads do not divide")


def _statistics(motion: Any, key: str) -> list[float]:
    values = motion.get(key) if isinstance(motion, dict) else None
    if not isinstance(values, list) or not 1 <= len(values) <= 4096:
        raise _WrongError(f"holds no list of motion statistics '{key}'")
    for value in values:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not abs(value) <= _MAX_STATISTIC
        ):
            raise _WrongError(f"holds motion statistics '{key}' out of range")
    return values


def _size(config: dict[str, Any], network: str, key: str, most: int) -> int:
    networks = config.get("networks")
    fields = networks.get(network) if isinstance(networks, dict) else None
    value = fields.get(key) if isinstance(fields, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise _WrongError(f"has no {network} {key} from 1 to {most}")
    return value


def _check_files(directory: Path, hashes: dict[str, str]) -> dict[str, int]:
    """Check places, sizes and SHA-256 of the files; return their sizes."""
    missing = [name for name in hashes if not (directory / name).is_file()]
    if missing:
        raise InputError(
            f"lacks {', '.join(missing)}", path=directory, remedy="export or install it again"
        )
    sizes = {}
    for name, expected in hashes.items():
        path = directory / name
        if path.resolve().parent != directory.resolve():
            raise _WrongError(f"has {name} elsewhere (a link)")
        sizes[name] = path.stat().st_size
        if sizes[name] > (MAX_GRAPH_BYTES if name.endswith(".onnx") else MAX_WEIGHTS_BYTES):
            raise _WrongError(f"has a {name} of {sizes[name] / 1e6:.0f} MB, which is too large")
        if sha256_of(path) != expected:
            raise _WrongError(f"has a {name} with another SHA-256 than stated")
    return sizes


def _check_graph(name: str, graph: Graph, config: dict[str, Any], sizes: dict[str, int]) -> None:
    if set(graph.opsets) != {"ai.onnx"} or graph.opsets["ai.onnx"] not in OPSETS:
        found = ", ".join(f"{domain} {version}" for domain, version in graph.opsets.items())
        raise _WrongError(
            f"uses operator sets {found[:100]}, known are ai.onnx {OPSETS[0]} to {OPSETS[-1]}"
        )
    unknown = sorted(graph.operators - OPERATORS)
    if unknown:
        raise _WrongError(f"uses the operators {', '.join(unknown)[:100]}, which are not allowed")
    if graph.extras:
        raise _WrongError(f"holds {', '.join(sorted(graph.extras))}, which no bundle needs")
    expected_inputs, expected_outputs = _interface(config)[name]
    for what, found_tensors, expected in (
        ("inputs", graph.inputs, expected_inputs),
        ("outputs", graph.outputs, expected_outputs),
    ):
        if len(found_tensors) != len(expected) or not all(map(_fits, found_tensors, expected)):
            raise _WrongError(f"has other {what} than {name} must have")
    for weight in graph.weights:
        if weight.external is not None:
            _check_place(weight, weight.external, sizes)


def _fits(found: Tensor, expected: Tensor) -> bool:
    if (found.name, found.kind, len(found.shape)) != (
        expected.name,
        expected.kind,
        len(expected.shape),
    ):
        return False
    return all(
        want is None or have == want for have, want in zip(found.shape, expected.shape, strict=True)
    )


def _check_place(weight: Tensor, external: dict[str, str], sizes: dict[str, int]) -> None:
    """Check that an external weight lies inside a file of the bundle and fits its shape."""
    place = external.get("location", "")
    if place not in sizes or not place.endswith(".safetensors"):
        raise _WrongError(f"points at weights outside of the bundle ({place[:100]!r})")
    width = onnx_file.ELEMENT_BYTES.get(weight.kind)
    numbers = [external.get(key, "") for key in ("offset", "length")]
    if width is None or not all(
        number.isascii() and number.isdigit() and len(number) < 20 for number in numbers
    ):
        raise _WrongError(f"states no place for the weight {weight.name[:60]}")
    offset, length = map(int, numbers)
    if any(side is None or side < 0 for side in weight.shape) or offset + length > sizes[place]:
        raise _WrongError(f"points behind the end of {place}")
    if math.prod(side for side in weight.shape if side is not None) * width != length:
        raise _WrongError(f"has a weight {weight.name[:60]} of another size than its shape")


def _interface(config: dict[str, Any]) -> dict[str, tuple[list[Tensor], list[Tensor]]]:
    """Return the inputs and outputs that every graph must have."""
    networks, motion = config["networks"], len(config["motion"]["mean"])
    channels, window = networks["vqgan"]["latent_channels"], networks["lipsync"]["motion_window"]
    width, heads = networks["swap"]["width"], networks["swap"]["heads"]

    def latents(name: str) -> Tensor:
        return Tensor(name, "float32", (None, channels, 16, 16))

    def tokens(name: str) -> Tensor:
        return Tensor(name, "float32", (None, 1, heads, None, width // heads))

    faces = Tensor("faces", "uint8", (None, 256, 256, 3))
    restored = [Tensor(name, "uint8", faces.shape) for name in ("face", "restored", "guide")]
    return {
        "restoration": ([*restored, Tensor("mask", "uint8", (None, 256, 256))], [faces]),
        "encoder": ([faces], [latents("latents")]),
        "decoder": ([latents("latents")], [faces]),
        "quantizer": ([latents("latents")], [Tensor("codes", "uint8", (None, None, 16, 16))]),
        "identity": ([latents("source")], [tokens("keys"), tokens("values")]),
        "swap": (
            [
                latents("composite"),
                Tensor("mask", "float32", (None, 1, 64, 64)),
                tokens("keys"),
                tokens("values"),
                Tensor("strength", "float32", ()),
            ],
            [latents("latents")],
        ),
        "lipsync": (
            [
                latents("target"),
                latents("reference"),
                Tensor("motion", "float32", (None, window, motion)),
            ],
            [latents("latents")],
        ),
        "motion": (
            [Tensor("mel", "float32", (1, None, 80))],
            [Tensor("motion", "float32", (1, None, motion))],
        ),
    }


def _check_codebooks(path: Path, config: dict[str, Any]) -> None:
    """Check that heads and widths of the codebooks make up the latent channels."""
    with safe_open(path, framework="numpy") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}
    upper = shapes.get("quantizer.upper.codebook")
    lower = shapes.get("quantizer.lower.codebook", upper)
    channels = config["networks"]["vqgan"]["latent_channels"]
    for shape in (upper, lower):
        if (
            shape is None
            or len(shape) != 3
            or shape[0] * shape[2] != channels
            or not 1 <= shape[1] <= 256
        ):
            raise _WrongError(f"has no codebook of at most 256 codes for {channels} channels")
    if upper != lower:
        raise _WrongError("has two codebooks of different shapes")
