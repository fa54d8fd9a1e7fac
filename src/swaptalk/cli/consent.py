"""``swaptalk consent``: sign a person's agreement into the photo of them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import tyro

from swaptalk.errors import InputError
from swaptalk.media.image import is_image
from swaptalk.pipeline.checks import check_output
from swaptalk.pipeline.job import version
from swaptalk.provenance.consent import LONGEST_TEXT, ConsentCredential
from swaptalk.provenance.manifest import sign_consent
from swaptalk.provenance.media_type import media_type
from swaptalk.provenance.signing import signing_identity

#: Kinds of photos that can carry a manifest, and the ending a copy must have.
_SUFFIXES = {"image/jpeg": (".jpg", ".jpeg"), "image/png": (".png",), "image/webp": (".webp",)}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Copy a photo and sign a consent credential into it, for 'swaptalk generate'."""

    photo: tyro.conf.Positional[Path]
    """The person's photo (.jpg, .png, .webp)."""
    output: Path
    """Signed copy to write."""
    person: str
    """Name of the person."""
    statement: str
    """Sentence that says what the person agrees to."""
    until: str | None = None
    """Last day of the agreement, such as 2027-12-31."""
    certificate: Path | None = None
    """Certificate chain (.pem) of the person or agency; self-signed if left out."""
    key: Path | None = None
    """Private key (.pem) of the certificate."""
    timestamp_url: str | None = None
    """RFC 3161 service that signs the time."""


def run(options: Options) -> int:
    """Sign the photo; return the exit code."""
    suffixes = _SUFFIXES.get(media_type(options.photo)) if is_image(options.photo) else None
    if suffixes is None:
        raise InputError(
            "is not a photo that can carry a credential",
            path=options.photo,
            remedy="give a .jpg, .png or .webp picture",
        )
    check_output(options.output, suffixes, (options.photo,))
    for option, text in (("--person", options.person), ("--statement", options.statement)):
        if not text.strip() or len(text) > LONGEST_TEXT:
            raise InputError(
                f"{option} of {len(text)} characters", remedy=f"give 1 to {LONGEST_TEXT}"
            )
    credential = ConsentCredential(options.person, options.statement, _date(options.until))
    identity = signing_identity(options.certificate, options.key, options.timestamp_url)
    sign_consent(options.photo, options.output, credential, version(), identity)
    print(
        f"{options.output}: consent of {options.person}, signed by {_organisation(identity.leaf)}"
    )
    return 0


def _date(text: str | None) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--until {text} is not a date", remedy="write it as 2027-12-31") from None


def _organisation(certificate: object) -> str:
    from cryptography.x509 import Certificate
    from cryptography.x509.oid import NameOID

    assert isinstance(certificate, Certificate)
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
