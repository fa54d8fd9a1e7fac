"""Policy file: rules that a project, a company or a server sets for all its jobs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from swaptalk.errors import InputError
from swaptalk.provenance.signing import config_directory

#: Names the policy file; it must exist then.
POLICY_VARIABLE = "SWAPTALK_POLICY"
#: Looked for in the working folder, then in the user's configuration folder.
POLICY_NAME = "swaptalk-policy.json"

Requirement = Literal["none", "statement", "credential"]


@dataclass(frozen=True)
class Policy:
    """Requirements of every job. The fields are the optional keys of the JSON file."""

    require_consent: Requirement = "none"
    """statement: --consent must be given. credential: every source photo must carry a valid consent
    credential."""
    trusted_signers: tuple[str, ...] = ()
    """PEM files of authorities, beside the policy file: only credentials signed under them count.
    Empty: anybody's."""
    require_label: bool = False
    """Every output carries the visible label."""
    require_certificate: bool = False
    """Outputs must be signed with a given certificate."""
    path: Path | None = None
    """Path of the file; not a key."""

    @property
    def anchors(self) -> tuple[str, ...]:
        """Read the certificates of the trusted signers.

        Raises:
            InputError: one of the files cannot be read.
        """
        folder = Path() if self.path is None else self.path.parent
        try:
            return tuple(
                (folder / name).read_text(encoding="ascii") for name in self.trusted_signers
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"a certificate in trusted_signers cannot be read ({error})",
                path=self.path,
                remedy="correct the list or the file",
            ) from error


def load_policy() -> Policy:
    """Load the policy that applies here; without a file, one without requirements.

    Raises:
        InputError: the named file is missing, or the file is not a policy.
    """
    named = os.environ.get(POLICY_VARIABLE)
    places = [Path(named)] if named else [Path(POLICY_NAME), config_directory() / POLICY_NAME]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        if named:
            raise InputError(
                "no such policy file", path=named, remedy=f"correct {POLICY_VARIABLE}, or unset it"
            )
        return Policy()
    return read_policy(path)


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        InputError: not JSON, unknown keys or values of another kind.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"is not a readable policy ({error})", path=path, remedy="write a JSON object"
        ) from error
    known = {field.name for field in fields(Policy)} - {"path"}
    if not isinstance(given, dict) or set(given) - known:
        odd = ", ".join(sorted(set(given) - known)) if isinstance(given, dict) else "no object"
        raise InputError(
            f"is not a policy ({odd})", path=path, remedy=f"the keys are {', '.join(sorted(known))}"
        )
    signers = given.get("trusted_signers", [])
    right = (
        given.get("require_consent", "none") in get_args(Requirement)
        and isinstance(signers, list)
        and all(isinstance(one, str) for one in signers)
        and all(
            isinstance(given.get(key, False), bool)
            for key in ("require_label", "require_certificate")
        )
    )
    if not right:
        raise InputError(
            "is not a policy: a value is of the wrong kind",
            path=path,
            remedy="require_consent is none, statement or credential, trusted_signers a list of "
            "files, "
            "the others true or false",
        )
    return Policy(**{**given, "trusted_signers": tuple(signers)}, path=path.resolve())
