"""Mark outputs: check consent and policy, draw the marks, sign the file."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swaptalk.assets import catalogue
from swaptalk.errors import InputError
from swaptalk.media.image import write_image
from swaptalk.media.output_format import output_format
from swaptalk.pipeline.inputs import InputFile
from swaptalk.pipeline.job import job_fingerprint, version
from swaptalk.pipeline.options import GenerateOptions, fingerprinted
from swaptalk.pipeline.plan import Plan
from swaptalk.provenance.consent import (
    ConsentCredential,
    ConsentStatement,
    consent_statement,
    photo_credential,
    reserves_ai_use,
)
from swaptalk.provenance.label import VisibleLabel
from swaptalk.provenance.manifest import OutputRecord, Role, UsedInput, sign_output
from swaptalk.provenance.manifest_read import read_manifest
from swaptalk.provenance.policy import Policy, load_policy
from swaptalk.provenance.signing import SigningIdentity, signing_identity
from swaptalk.provenance.watermark_embed import Watermarker
from swaptalk.storage.files import replacing

#: Switches the invisible watermark and the visible label off, for research on the pictures
#: themselves. The manifest stays, and says so.
RESEARCH_VARIABLE = "SWAPTALK_RESEARCH_UNMARKED"


def is_research() -> bool:
    """Return whether the environment switches watermark and label off."""
    return os.environ.get(RESEARCH_VARIABLE, "0") not in ("", "0")


@dataclass(frozen=True)
class Authorisation:
    """Result of the checks of consent and policy."""

    policy: Policy
    consent: ConsentStatement | None
    credentials: tuple[ConsentCredential, ...]


def authorise(options: GenerateOptions) -> Authorisation:
    """Check consent and policy before any work is done.

    Raises:
        InputError: the policy demands what is missing, a credential is not valid, or a photo is
            reserved from AI.
    """
    authorisation = check_photos(options)
    policy = authorisation.policy
    if policy.require_label and not options.label:
        raise InputError(
            "--label is missing, which the policy demands", path=policy.path, remedy="give --label"
        )
    if policy.require_certificate and options.certificate is None:
        raise InputError(
            "--certificate is missing, which the policy demands",
            path=policy.path,
            remedy="give --certificate and --key",
        )
    return authorisation


def check_photos(options: GenerateOptions) -> Authorisation:
    """Check that the source may be used, before any work is done.

    Raises:
        InputError: the policy demands consent and there is none, a credential is not valid, or a
            photo is reserved from AI.
    """
    policy = load_policy()
    consent = None if options.consent is None else consent_statement(options.consent)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    credentials = []
    for photo in options.source:
        # With trusted signers, only they count: not this installation's own key.
        reading = read_manifest(photo, policy.anchors)
        credential = photo_credential(photo, reading, today)
        vouched = reading is not None and reading.trusted and not reading.own
        if credential is not None and (vouched or not policy.trusted_signers):
            credentials.append(credential)
        elif policy.require_consent == "credential":
            raise InputError(
                "carries no consent credential of a signer that the policy trusts",
                path=photo,
                remedy=f"have it signed with 'swaptalk consent' ({policy.path})",
            )
        if reserves_ai_use(reading) and credential is None and consent is None:
            raise InputError(
                "its manifest says that it must not be used by AI",
                path=photo,
                remedy="ask its publisher, and state the permission with --consent",
            )
    if policy.require_consent == "statement" and consent is None:
        raise InputError(
            "--consent is missing, which the policy demands",
            path=policy.path,
            remedy="give the release form as a file, or a sentence",
        )
    return Authorisation(policy, consent, tuple(credentials))


class OutputMarker:
    """The marks of one job.

    Args:
        plan: the job.
        weights: fingerprint of SwapTalk's own networks.
        signer: signs instead of the certificate in the options or the self-made key.
        unmarked: leave out watermark and label, as `RESEARCH_VARIABLE` does.

    Raises:
        InputError: see :func:`authorise`; or the certificate or label cannot be used.
        SwapTalkError: no key could be made.
    """

    def __init__(
        self,
        plan: Plan,
        weights: str,
        signer: SigningIdentity | None = None,
        unmarked: bool = False,
    ) -> None:
        options = plan.options
        self._unmarked = unmarked or is_research()
        self._plan, self._weights = plan, weights
        self._authorisation = authorise(options)
        # Now rather than after the work.
        self._signer = signer or signing_identity(
            options.certificate, options.key, options.timestamp_url
        )
        settings = {**fingerprinted(options), "weights": weights, "marked": str(not self._unmarked)}
        #: Fingerprint of the job: inputs, options and weights.
        self.job = job_fingerprint([file.fingerprint for file in plan.inputs], settings)
        #: Identifier in the pixels: the same job has the same one. None if it is switched off.
        self.identifier = None if self._unmarked else identifier_of(self.job)
        self._watermarker = self._watermarker_for(*plan.view)
        self._label = self._label_for(*plan.view)

    def _watermarker_for(self, width: int, height: int) -> Watermarker | None:
        return None if self.identifier is None else Watermarker(self.identifier, width, height)

    def _label_for(self, width: int, height: int) -> VisibleLabel | None:
        options = self._plan.options
        if not options.label or self._unmarked:
            return None
        return VisibleLabel(options.label_text, width, height, options.label_font)

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mark a picture (H, W, 3) in place; return it."""
        return _applied(picture, self._watermarker, self._label)

    def sign(self, unsigned: Path, output: Path) -> None:
        """Copy a finished file to its place, with its manifest where its kind can hold one.

        Raises:
            InputError: the place cannot be written.
            SwapTalkError: the signer refused.
        """
        if not output_format(output).manifest:
            with replacing(output) as part:
                shutil.copyfile(unsigned, part)
            return
        sign_output(unsigned, output, self._record(), self._signer)

    def write_image(self, path: Path, picture: NDArray[np.uint8], marked: bool = False) -> None:
        """Mark, write and sign a picture that shows results beside other things.

        Args:
            path: where to.
            picture: (H, W, 3) uint8.
            marked: it is a frame of the output, which has its marks.

        Raises:
            InputError: the place cannot be written.
        """
        height, width = picture.shape[:2]
        if not marked:
            picture = _applied(
                picture, self._watermarker_for(width, height), self._label_for(width, height)
            )
        with tempfile.TemporaryDirectory(prefix="swaptalk-") as folder:
            unsigned = Path(folder) / path.name
            write_image(unsigned, picture)
            self.sign(unsigned, path)

    def _record(self) -> OutputRecord:
        options, plan = self._plan.options, self._plan
        roles: list[tuple[Role, InputFile]] = [("target", plan.target)]
        roles += [("source", photo) for photo in plan.sources]
        roles += [("audio", recording) for recording in plan.recordings]
        weights = {
            "swaptalk": self._weights,
            **{one.name: one.sha256 for one in catalogue.catalogue("run-time")},
        }
        return OutputRecord(
            version=version(),
            job=self.job,
            weights=weights,
            inputs=tuple(UsedInput(role, file.path, file.sha256) for role, file in roles),
            edits=_edits(options),
            watermark=self.identifier,
            unmarked_because=_reason() if self._unmarked else None,
            label=options.label_text if options.label and not self._unmarked else None,
            consent=self._authorisation.consent,
            credentials=self._authorisation.credentials,
        )


def _reason() -> str:
    return "switched off for research" + (f" with {RESEARCH_VARIABLE}" if is_research() else "")


def identifier_of(job: str) -> int:
    """Return the 64-bit identifier of a job's fingerprint."""
    return int.from_bytes(hashlib.sha256(f"swaptalk watermark {job}".encode()).digest()[:8], "big")


def _applied(
    picture: NDArray[np.uint8],
    watermarker: Watermarker | None,
    label: VisibleLabel | None,
) -> NDArray[np.uint8]:
    if watermarker is not None:
        picture = watermarker(picture)
    return picture if label is None else label(picture)


def _edits(options: GenerateOptions) -> tuple[str, ...]:
    where = "face" if options.replaced_region == "face" else "mouth and jaw"
    edits = []
    if options.source:
        edits.append(f"{where} replaced by a generated one with the identity of another photo")
    if options.audio is not None:
        edits.append("mouth and speech replaced: the person says the words of another recording")
    return tuple(edits)
