"""Read and validate the C2PA manifest of a file, offline, in the confined decoding process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swaptalk.media.sandbox.pool import decoder
from swaptalk.provenance.media_type import UNKNOWN, media_type
from swaptalk.provenance.signing import own_authority

#: Digital source types (IPTC NewsCodes) of pictures and sound made by AI, wholly or partly.
AI_SOURCE_TYPES = (
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "compositeSynthetic",
)
#: Says that nobody we trust vouches for the signer; what was signed is intact all the same.
_UNTRUSTED = "signingCredential.untrusted"


@dataclass(frozen=True)
class IngredientReading:
    """An ingredient of a file."""

    title: str
    relationship: str
    """parentOf, componentOf or inputTo."""
    format: str
    manifest: str | None
    """Label of its own manifest; None without one."""


@dataclass(frozen=True)
class ManifestReading:
    """The active manifest of a file and its validation state."""

    valid: bool
    """The signature is intact and the file unchanged; says nothing about who signed."""
    trusted: bool
    """The certificate chain ends at a given authority or at this installation's own."""
    problems: tuple[str, ...]
    """Reasons for being invalid."""
    signer: str
    """Organisation in the certificate; only a claim unless ``trusted``."""
    own: bool
    """Signed with this installation's self-made key."""
    generator: str
    """Program that signed, with its version."""
    signed_at: str | None
    """Time signed by a time-stamping service; None without one."""
    source_types: tuple[str, ...]
    """Last parts of the IPTC digital source types of all actions."""
    actions: tuple[str, ...]
    """Actions with their descriptions."""
    ingredients: tuple[IngredientReading, ...]
    assertions: Mapping[str, Any]
    """All assertions by label."""

    @property
    def declares_ai(self) -> bool:
        """Return whether it says that the file was made or changed by AI."""
        return any(kind in AI_SOURCE_TYPES for kind in self.source_types)


def read_manifest(path: Path, anchors: Sequence[str] = ()) -> ManifestReading | None:
    """Read a file's manifest; None if it has none or is of a kind that cannot carry one.

    Args:
        path: a readable file.
        anchors: certificates (PEM) of authorities that are trusted beside this installation's own.

    Raises:
        InputError: the file cannot be read, or makes the reading process crash, hang or take too
            much memory.
    """
    kind = media_type(path)
    if kind == UNKNOWN:
        return None
    own = own_authority()
    trusted = tuple(anchors) + ((own,) if own else ())
    with decoder(path) as process:
        answer = process.read("manifest", kind, list(trusted))
        if answer is None:
            return None
        is_own = answer.get("state") == "Trusted" and own is not None
        if is_own and anchors:
            alone = process.read("manifest", kind, [own])
            is_own = alone is not None and alone.get("state") == "Trusted"
    if "problem" in answer:
        return _unreadable(str(answer["problem"]))
    try:
        return _reading(answer["store"], answer["state"], is_own)
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        IndexError,
    ):  # whoever signs may write what they like
        return _unreadable("its parts are not what the C2PA specification wants them to be")


def _unreadable(problem: str) -> ManifestReading:
    return ManifestReading(False, False, (problem,), "", False, "", None, (), (), (), {})


def _reading(store: Mapping[str, Any], state: str, own: bool) -> ManifestReading:
    manifest = store["manifests"].get(store.get("active_manifest"), {})
    assertions = {one["label"]: one.get("data", {}) for one in manifest.get("assertions", [])}
    actions = [
        action
        for label, data in assertions.items()
        if label.startswith("c2pa.actions")
        for action in data.get("actions", [])
    ]
    signature = manifest.get("signature_info", {})
    failures = [
        status for status in store.get("validation_status", []) if status.get("code") != _UNTRUSTED
    ]
    generator = (manifest.get("claim_generator_info") or [{}])[0]
    valid = state in ("Valid", "Trusted")
    return ManifestReading(
        valid=valid,
        trusted=state == "Trusted",
        problems=() if valid else tuple(_problem(status) for status in failures) or ("not valid",),
        signer=signature.get("issuer", ""),
        own=own,
        generator=f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
        signed_at=signature.get("time"),
        source_types=tuple(
            action["digitalSourceType"].rsplit("/", 1)[-1]
            for action in actions
            if "digitalSourceType" in action
        ),
        actions=tuple(
            ": ".join(filter(None, (action.get("action"), action.get("description"))))
            for action in actions
        ),
        ingredients=tuple(
            IngredientReading(
                one.get("title", ""),
                one.get("relationship", ""),
                one.get("format", ""),
                one.get("active_manifest"),
            )
            for one in manifest.get("ingredients", [])
        ),
        assertions=assertions,
    )


def _problem(status: Mapping[str, Any]) -> str:
    return f"{status.get('code')}: {status.get('explanation', '')}".rstrip(": ")
