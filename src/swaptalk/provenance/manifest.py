"""Write the signed C2PA manifest of an output: kind, inputs, software, weights, signer.

After the C2PA Technical Specification 2.2: an opened parent (the target), an edit whose digital
source type is IPTC's ``compositeWithTrainedAlgorithmicMedia`` (a generated face in footage of
something else; nothing that SwapTalk makes is wholly generated), and the other inputs as
ingredients. The library keeps the manifests that the inputs bring along.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import c2pa

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.provenance.consent import (
    CREDENTIAL_LABEL,
    STATEMENT_LABEL,
    ConsentCredential,
    ConsentStatement,
)
from swaptalk.provenance.manifest_read import read_manifest
from swaptalk.provenance.manifest_store import SETTINGS
from swaptalk.provenance.media_type import UNKNOWN, media_type
from swaptalk.provenance.signing import SigningIdentity
from swaptalk.provenance.watermark_tile import SCHEME
from swaptalk.storage.files import AtomicFile, output_error

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Label of the assertion with the software, weights, inputs and marks of a job.
JOB_LABEL = "swaptalk.job"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
Role = Literal["target", "source", "audio"]
#: How an input relates to the output: the target is what was edited, the recording is heard in it,
#: a photo only told a network what to make.
_RELATIONSHIPS: Mapping[Role, str] = {
    "target": "parentOf",
    "audio": "componentOf",
    "source": "inputTo",
}


@dataclass(frozen=True)
class UsedInput:
    """An input of an output."""

    role: Role
    path: Path
    sha256: str


@dataclass(frozen=True)
class OutputRecord:
    """Content of the manifest of an output."""

    version: str
    """Version of SwapTalk."""
    job: str
    """Fingerprint of inputs, options and weights."""
    weights: Mapping[str, str]
    """SHA-256 of every model file, by name."""
    inputs: tuple[UsedInput, ...]
    edits: tuple[str, ...]
    """Edits of the target, in words."""
    watermark: int | None
    """Identifier in the pixels; None if there is none."""
    unmarked_because: str | None = None
    """Reason for a missing watermark."""
    label: str | None = None
    """Text of the visible label; None without one."""
    consent: ConsentStatement | None = None
    credentials: tuple[ConsentCredential, ...] = ()
    """Valid consent credentials of the source photos."""


def sign_output(
    unsigned: Path, output: Path, record: OutputRecord, identity: SigningIdentity
) -> None:
    """Copy ``unsigned`` to ``output`` with a manifest; the output appears whole or not at all.

    Pictures and sound stay bit for bit as they are. The manifest differs from run to run: C2PA
    demands random salts.

    Raises:
        InputError: the place cannot be written.
        SwapTalkError: the signer refused, or a time-stamping service did not answer.
    """
    definition = _definition(
        output.name,
        _agent(record),
        [
            {"label": "c2pa.actions.v2", "data": {"actions": _actions(record)}},
            {"label": JOB_LABEL, "data": _job(record)},
            *(
                [{"label": STATEMENT_LABEL, "data": record.consent.assertion}]
                if record.consent
                else []
            ),
        ],
    )
    with c2pa.Builder(definition, context=_context()) as builder:
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        for number, used in enumerate(record.inputs):
            _add_ingredient(builder, used, number)
        _sign(builder, unsigned, output, identity)


def sign_consent(
    photo: Path,
    output: Path,
    credential: ConsentCredential,
    version: str,
    identity: SigningIdentity,
) -> None:
    """Copy a photo with a consent credential signed into it; the pixels stay as they are.

    Raises:
        InputError: the place cannot be written.
        SwapTalkError: the photo is of a kind that cannot carry one, or the signer refused.
    """
    definition = _definition(
        output.name,
        {"name": "SwapTalk", "version": version},
        [{"label": CREDENTIAL_LABEL, "data": credential.assertion}],
    )
    with c2pa.Builder(definition, context=_context()) as builder:
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        with photo.open("rb") as file:
            builder.add_ingredient(
                {"title": photo.name, "relationship": "parentOf"}, media_type(photo), file
            )
        _sign(builder, photo, output, identity)


def _definition(
    title: str, agent: Mapping[str, str], assertions: list[dict[str, Any]]
) -> dict[str, Any]:
    return {"title": title, "claim_generator_info": [agent], "assertions": assertions}


def _agent(record: OutputRecord) -> dict[str, str]:
    return {"name": "SwapTalk", "version": record.version}


def _actions(record: OutputRecord) -> list[dict[str, Any]]:
    used = [f"input-{number}" for number, one in enumerate(record.inputs) if one.role != "target"]
    actions: list[dict[str, Any]] = [
        {
            "action": "c2pa.edited",
            "digitalSourceType": _SOURCE_TYPE,
            "softwareAgent": _agent(record),
            "description": edit,
            "parameters": {"ingredientIds": used},
        }
        for edit in record.edits
    ]
    if record.watermark is not None:
        # "Unbound": the identifier leads to the job, not to a public store of manifests.
        actions.append(
            {
                "action": "c2pa.watermarked.unbound",
                "softwareAgent": _agent(record),
                "description": f"invisible identifier {record.watermark:016x} ({SCHEME})",
            }
        )
    if record.label is not None:
        actions.append(
            {
                "action": "c2pa.edited",
                "softwareAgent": _agent(record),
                "description": f"visible label '{record.label}'",
            }
        )
    return actions


def _job(record: OutputRecord) -> dict[str, Any]:
    watermark: dict[str, Any] = {"present": record.watermark is not None}
    if record.watermark is not None:
        watermark |= {"scheme": SCHEME, "identifier": f"{record.watermark:016x}"}
    else:
        watermark |= {"reason": record.unmarked_because or "not applicable"}
    return {
        "fingerprint": record.job,
        "weights": dict(record.weights),
        "watermark": watermark,
        "label": record.label,
        "inputs": [
            {"role": one.role, "name": one.path.name, "sha256": one.sha256} for one in record.inputs
        ],
        "credentials": [credential.assertion for credential in record.credentials],
    }


def _context() -> Any:
    return c2pa.Context(c2pa.Settings.from_dict(dict(SETTINGS)))


def _add_ingredient(builder: Any, used: UsedInput, number: int) -> None:
    described = {
        "title": used.path.name,
        "relationship": _RELATIONSHIPS[used.role],
        "label": f"input-{number}",
        "instance_id": f"sha256:{used.sha256}",
    }
    try:
        read_manifest(used.path)  # a crash of the library happens there and not here
        with used.path.open("rb") as file:
            builder.add_ingredient(described, media_type(used.path), file)
    # A kind of file, or a damaged manifest, that the library cannot look into.
    except (c2pa.C2paError, InputError):
        builder.add_ingredient(described, UNKNOWN, io.BytesIO(b""))


def _sign(builder: Any, unsigned: Path, output: Path, identity: SigningIdentity) -> None:
    # The library swallows what happens in functions of ours.
    failures: list[BaseException] = []
    unwritten: list[OSError] = []

    def sign(data: bytes) -> bytes:
        try:
            return identity.sign(data)
        except BaseException as error:
            failures.append(error)
            raise

    try:
        with (
            c2pa.Signer.from_callback(
                sign,
                c2pa.C2paSigningAlg[identity.algorithm],
                identity.certificates,
                identity.timestamp_url,
            ) as signer,
            AtomicFile(output) as target,
            unsigned.open("rb") as source,
            _Written(io.FileIO(target.part, "w+b"), unwritten) as part,
        ):
            builder.sign(signer, media_type(unsigned), source, part)
    except (c2pa.C2paError, KeyError) as error:
        cause = failures[0] if failures else error
        if unwritten:
            raise output_error(unwritten[0], output) from error
        service = " or the time-stamping service" if identity.timestamp_url else ""
        raise SwapTalkError(
            f"the manifest could not be signed ({cause})",
            path=output,
            remedy=f"check --certificate and --key{service}",
        ) from cause


class _Written(io.BufferedRandom):
    """A file object that keeps the error of a failed write."""

    def __init__(self, raw: io.FileIO, failures: list[OSError]) -> None:
        super().__init__(raw)
        self._failures = failures

    def write(self, data: Buffer, /) -> int:
        """As in the base class."""
        try:
            return super().write(data)
        except OSError as error:
            self._failures.append(error)
            raise

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As in the base class, which flushes its buffer here."""
        try:
            return super().seek(offset, whence)
        except OSError as error:
            self._failures.append(error)
            raise
