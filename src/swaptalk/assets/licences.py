"""Terms of all parts of an installation: packages, weights, model files, training data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Any, Literal

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from swaptalk.assets import catalogue
from swaptalk.inference.bundle import default_directory
from swaptalk.inference.validate import BUNDLE_NAME
from swaptalk.storage.hashing import sha256_of

Kind = Literal["code", "weights", "model file", "data"]

#: Terms of the weights in the package, and of what they were trained on; MODEL_CARD.md says how
#: much of each.
WEIGHTS_TERMS = "research use: see the training data"
TRAINING_DATA = (
    ("CelebA-derived crops", "non-commercial research only (CelebA)"),
    ("UTKFace, adults", "non-commercial research only; copyright with the owners"),
    ("official portraits of members of the US Congress", "US government work, public domain"),
    ("photos of well-known people (PINS)", "research use; copyright with the owners"),
    ("photos of volunteers: London and Canada face sets", "CC BY 4.0"),
    ("clips of people speaking: GRID", "CC BY 4.0"),
    (
        "clips of people speaking: HDTF, LRS3 excerpts, lab and broadcast clips",
        "research use; terms of each source",
    ),
    ("published demo results of talking-head methods", "terms of each project"),
)
#: Longer texts in the licence field are the licence itself; then the classifiers name it.
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Component:
    """A part of an installation. ``sha256`` of files only; ``source`` is where it comes from."""

    kind: Kind
    name: str
    version: str
    licence: str
    source: str = ""
    sha256: str = ""


def components() -> list[Component]:
    """Return all parts of this installation."""
    return [*_packages(), *_weights(), *_model_files(), *_training_data()]


def _packages() -> Iterator[Component]:
    """Return SwapTalk and every installed package that it needs, with the installed extras."""
    waiting, seen = ["swaptalk"], set()
    found = []
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except PackageNotFoundError:
            continue  # an extra, or for another system
        found.append(
            Component(
                "code", name, distribution.version, licence_of(distribution), f"pkg:pypi/{name}"
            )
        )
        waiting += _required(distribution, every_extra=name == "swaptalk")
    yield from sorted(found, key=lambda component: (component.name != "swaptalk", component.name))


def _required(distribution: Distribution, every_extra: bool) -> Iterator[str]:
    extras = distribution.metadata.get_all("Provides-Extra") or [] if every_extra else []
    for text in distribution.requires or []:
        try:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ["", *extras]):
                yield re.sub(r"[-_.]+", "-", requirement.name).lower()
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue  # somebody else's mistake; the package itself is installed and listed


def licence_of(distribution: Distribution) -> str:
    """Return the licence of a package: SPDX expression, text, or classifiers."""
    metadata = distribution.metadata
    expression = metadata.get_all("License-Expression")
    if expression:
        return str(expression[0])
    stated = str((metadata.get_all("License") or [""])[0]).strip()
    if stated and "\n" not in stated and len(stated) <= _LONGEST_NAME and stated != "UNKNOWN":
        return stated
    classifiers = metadata.get_all("Classifier") or []
    names = [text.split(" :: ")[-1] for text in classifiers if text.startswith("License ::")]
    return " and ".join(names) or "not stated"


def _weights() -> Iterator[Component]:
    try:
        config = json.loads((default_directory() / BUNDLE_NAME).read_text(encoding="utf-8"))
    except OSError:
        return  # a source tree without weights
    for name, digest in sorted(config["sha256"].items()):
        version = f"bundle format {config['format']}"
        yield Component("weights", name, version, WEIGHTS_TERMS, "trained by SwapTalk", digest)
    package = Path(__file__).parent.parent
    for path in sorted(package.rglob("*.onnx")) + sorted(package.rglob("*.safetensors")):
        if (
            path.parent != default_directory()
        ):  # instruments: they measure lips and sync, whatever the bundle
            digest = sha256_of(path)
            yield Component("weights", path.name, "", WEIGHTS_TERMS, "trained by SwapTalk", digest)


def _model_files() -> Iterator[Component]:
    for asset in catalogue.catalogue():
        package = asset.parts[0].package
        source = f"pkg:{package.registry}/{package.name}@{package.version}"
        yield Component(
            "model file", asset.name, package.version, asset.licence, source, asset.sha256
        )


def _training_data() -> Iterator[Component]:
    for name, terms in TRAINING_DATA:
        yield Component("data", name, "", terms)


def bill_of_materials() -> dict[str, Any]:
    """Return all parts as a CycloneDX 1.6 document (https://cyclonedx.org/docs/1.6/json/)."""
    parts = components()
    own = next((part for part in parts if part.name == "swaptalk"), None)
    entries = [_entry(part) for part in parts if part is not own]
    serial = uuid.UUID(
        bytes=hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).digest()[:16], version=4
    )
    subject = {
        "type": "application",
        "name": "swaptalk",
        "version": own.version if own else "unknown",
        "licenses": [{"expression": own.licence}] if own else [],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": subject},
        "components": entries,
    }


def _entry(part: Component) -> dict[str, Any]:
    types = {"code": "library", "data": "data"}
    kind = types.get(part.kind, "machine-learning-model")
    entry: dict[str, Any] = {
        "type": kind,
        "name": part.name,
        "bom-ref": f"{part.kind}:{part.name}",
        "licenses": [{"license": {"name": part.licence}}],
    }
    if part.version:
        entry["version"] = part.version
    if part.source.startswith("pkg:"):
        entry["purl"] = part.source if "@" in part.source else f"{part.source}@{part.version}"
    if part.sha256:
        entry["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    return entry
