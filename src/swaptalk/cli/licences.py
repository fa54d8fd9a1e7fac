"""``swaptalk licences``: terms of code, weights, model files and data; a bill of materials."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from swaptalk.assets.licences import bill_of_materials, components
from swaptalk.storage.files import AtomicFile


@dataclass(frozen=True)
class Options:
    """Show the parts of this installation and their terms."""

    json: bool = False
    """Print JSON, with sources and SHA-256."""
    sbom: Path | None = None
    """Write a bill of materials (CycloneDX 1.6, JSON) to this file instead."""


def run(options: Options) -> int:
    """Print or write the list; return the exit code."""
    if options.sbom is not None:
        with AtomicFile(options.sbom) as file:
            file.part.write_text(json.dumps(bill_of_materials(), indent=2) + "\n", encoding="utf-8")
        print(f"{options.sbom}: {len(components())} parts")
        return 0
    parts = components()
    if options.json:
        print(json.dumps([dataclasses.asdict(part) for part in parts], indent=2))
        return 0
    heading = ""
    for part in parts:
        if part.kind != heading:
            heading = part.kind
            print(f"{'' if part is parts[0] else chr(10)}{heading}:")
        print(f"  {' '.join((part.name, part.version)).strip()}: {part.licence}")
    return 0
