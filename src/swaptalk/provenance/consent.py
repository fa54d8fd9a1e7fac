"""Consent: statements of the maker of a video, and credentials in source photos.

A statement goes into the manifest of every output: a text as it is, a file by name and hash,
because contracts are confidential. A credential is a signed C2PA assertion inside the photo itself;
as its signature covers the picture, it cannot be moved to another one.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swaptalk.errors import InputError
from swaptalk.provenance.manifest_read import ManifestReading

#: Label of the assertion in an output: the maker's statement.
STATEMENT_LABEL = "swaptalk.consent"
#: Label of the assertion in a photo: the person's credential.
CREDENTIAL_LABEL = "swaptalk.consent-credential"
#: Longest text of a statement in characters: it is copied into every output.
LONGEST_TEXT = 2000
#: Assertions by which a publisher reserves a work from use by AI, and the entries that speak of use
#: as an input.
_RESERVATIONS = ("cawg.training-mining", "c2pa.training-mining")
_INFERENCE = ("cawg.ai_inference", "c2pa.ai_inference")


@dataclass(frozen=True)
class ConsentStatement:
    """Statement of the maker of an output about the consent of the people in it."""

    sha256: str
    """SHA-256 of the text (UTF-8) or of the file."""
    text: str | None = None
    file: str | None = None
    """Name of the file, without its folder."""

    @property
    def assertion(self) -> dict[str, str]:
        """Return the assertion that goes into the manifest."""
        said = {"text": self.text} if self.text is not None else {"file": self.file or ""}
        return {"sha256": self.sha256, **said}


def consent_statement(given: str) -> ConsentStatement:
    """Read ``--consent``: the name of a file that exists, or else a text.

    Raises:
        InputError: empty, too long, or a file that is not there or cannot be read.
    """
    if not given.strip():
        raise InputError(
            "--consent is empty", remedy="give a file (contract, release form) or a sentence"
        )
    path = Path(given)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # a text too long or too strange for a file name
        is_file = False
    if is_file:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return ConsentStatement(digest.hexdigest(), file=path.name)
    if path.suffix and not any(space in given.strip() for space in " \n"):
        raise InputError(
            "no such file",
            path=given,
            remedy="correct --consent, or write the statement out in words",
        )
    if len(given) > LONGEST_TEXT:
        raise InputError(
            f"--consent of {len(given)} characters is too long", remedy="put the text into a file"
        )
    return ConsentStatement(hashlib.sha256(given.encode()).hexdigest(), text=given)


@dataclass(frozen=True)
class ConsentCredential:
    """Agreement of a person, signed into a photo of that person."""

    person: str
    """Name of the person in the photo, who agrees."""
    statement: str
    """Sentence that says what the person agrees to."""
    until: datetime.date | None = None
    """Last day on which new videos may be made; None for no end."""

    @property
    def assertion(self) -> dict[str, str]:
        """Return the assertion that goes into the photo."""
        end = {} if self.until is None else {"until": self.until.isoformat()}
        return {"person": self.person, "statement": self.statement, **end}

    @classmethod
    def from_assertion(cls, data: Mapping[str, Any], path: Path) -> ConsentCredential:
        """Read a credential from an assertion.

        Raises:
            InputError: parts are missing or wrong.
        """
        person, statement, until = data.get("person"), data.get("statement"), data.get("until")
        try:
            end = None if until is None else datetime.date.fromisoformat(until)
        except (TypeError, ValueError):
            end, person = None, None
        if not isinstance(person, str) or not isinstance(statement, str):
            raise InputError(
                "carries a consent credential that cannot be read",
                path=path,
                remedy="sign it again with 'swaptalk consent'",
            )
        return cls(person, statement, end)


def photo_credential(
    path: Path, reading: ManifestReading | None, today: datetime.date
) -> ConsentCredential | None:
    """Return the credential of a source photo, or None.

    Args:
        path: the photo.
        reading: its manifest; None without one.
        today: date to compare with the last day of the agreement.

    Raises:
        InputError: the photo was changed after it was signed, the credential has run out or cannot
            be read.
    """
    data = None if reading is None else reading.assertions.get(CREDENTIAL_LABEL)
    if reading is None or data is None:
        return None
    if not reading.valid:
        raise InputError(
            f"its consent credential is not valid ({'; '.join(reading.problems)})",
            path=path,
            remedy="give the photo as it was signed, unchanged",
        )
    credential = ConsentCredential.from_assertion(data, path)
    if credential.until is not None and credential.until < today:
        raise InputError(
            f"the consent of {credential.person} ended on {credential.until}",
            path=path,
            remedy="ask for a new one and sign the photo again",
        )
    return credential


def reserves_ai_use(reading: ManifestReading | None) -> bool:
    """Return whether a manifest reserves the file from use as an input of AI models."""
    if reading is None:
        return False
    for label in _RESERVATIONS:
        entries = reading.assertions.get(label, {}).get("entries", {})
        entries = entries if isinstance(entries, Mapping) else {}
        for use in (entries.get(name) for name in _INFERENCE):
            if isinstance(use, Mapping) and use.get("use") == "notAllowed":
                return True
    return False
