"""``swaptalk verify``: which marks files carry."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from swaptalk.errors import InputError
from swaptalk.provenance.manifest_read import ManifestReading
from swaptalk.provenance.verify import Verification, verify
from swaptalk.provenance.watermark_detect import WatermarkReading


@dataclass(frozen=True)
class Options:
    """Show the marks of videos and pictures: whether they hold, who signed, which inputs were used.

    Exit code: 0 if every file is marked as made by AI and no mark is broken, 1 if one is unmarked
    or a mark does not hold, 2 if a file cannot be read.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Videos and pictures."""
    trust: tuple[Path, ...] = ()
    """Certificates (.pem) of further authorities whose signatures are trusted."""
    no_pixels: bool = False
    """Only read the manifest; do not look for the watermark."""
    json: bool = False
    """Print a JSON array."""


def run(options: Options) -> int:
    """Verify every file; return the exit code."""
    if not options.files:
        raise InputError("no file given", remedy="name videos or pictures")
    anchors = tuple(_certificate(path) for path in options.trust)
    results, unreadable = [], False
    for path in options.files:
        try:
            results.append(verify(path, anchors, pixels=not options.no_pixels))
        except InputError as error:
            unreadable = True
            print(f"swaptalk: error: {error}", file=sys.stderr)
            continue
        if not options.json:
            print(describe(results[-1]))
    if options.json:
        print(json.dumps([result.record for result in results], indent=2, default=str))
    if unreadable:
        return 2
    return 0 if all(result.ok for result in results) else 1


def _certificate(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError):
        text = ""
    if "BEGIN CERTIFICATE" not in text:
        raise InputError("is not a readable certificate", path=path, remedy="give one in PEM form")
    return text


def describe(result: Verification) -> str:
    """Describe a result in a few lines of text."""
    verdict = (
        "marked as made with AI"
        if result.ok
        else "A MARK DOES NOT HOLD"
        if result.problems
        else "no mark"
    )
    lines = [f"{result.path}: {verdict}"]
    lines += [f"  problem:   {problem}" for problem in result.problems]
    lines += _manifest_lines(result) if result.manifest is not None else ["  manifest:  none"]
    if result.watermark is not None:
        lines.append(f"  watermark: {_watermark_words(result.watermark)}")
    return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    """Replace line breaks and control characters: strangers wrote parts of the text."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)


def _manifest_lines(result: Verification) -> list[str]:
    manifest = result.manifest
    assert manifest is not None
    lines = [
        f"  manifest:  {_state(manifest)}, by {manifest.generator or 'unknown'}"
        + (f", signed {manifest.signed_at}" if manifest.signed_at else "")
    ]
    lines += [f"  signer:    {_signer(manifest)}"]
    if manifest.source_types:
        lines.append(f"  kind:      {', '.join(dict.fromkeys(manifest.source_types))}")
    lines += [f"  action:    {action}" for action in manifest.actions]
    lines += [
        f"  made from: {one.title} ({one.relationship}, {one.format}"
        + (", with its own manifest)" if one.manifest else ")")
        for one in manifest.ingredients
    ]
    job, consent = result.job, manifest.assertions.get("swaptalk.consent")
    watermark = job.get("watermark", {})
    if job and not watermark.get("present", True):
        lines.append(f"  no watermark: {watermark.get('reason')}")
    for credential in job.get("credentials", []):
        lines.append(
            f"  consent:   of {credential.get('person')}, in the photo: "
            f"{credential.get('statement')}"
        )
    if consent:
        lines.append(
            f"  consent:   {consent.get('text') or consent.get('file')} (SHA-256 "
            f"{consent.get('sha256')})"
        )
    return lines


def _state(manifest: ManifestReading) -> str:
    return "valid" if manifest.valid else "NOT VALID"


def _signer(manifest: ManifestReading) -> str:
    who = manifest.signer or "unknown"
    if not manifest.valid:
        return f"{who} (not trusted: the manifest is not valid)"
    if manifest.own:
        return f"{who} (the key of this installation)"
    return who if manifest.trusted else f"{who} (no trusted authority confirms this name)"


def _watermark_words(reading: WatermarkReading) -> str:
    if reading.text is not None:
        return f"{reading.text} (score {reading.score:.1f}, {reading.frames} frames)"
    if reading.present:
        return f"found, but too weak to be read (score {reading.score:.1f})"
    return f"none found (score {reading.score:.1f})"
