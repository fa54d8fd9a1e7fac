from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path

import pytest

from swaptalk.cli.main import main
from swaptalk.errors import InputError
from swaptalk.media.image import read_image, write_image
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.render.marker import authorise
from swaptalk.provenance.consent import ConsentCredential, consent_statement, reserves_ai_use
from swaptalk.provenance.manifest import sign_consent
from swaptalk.provenance.manifest_read import ManifestReading, read_manifest
from swaptalk.provenance.policy import load_policy
from swaptalk.provenance.signing import signing_identity


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(**rules: object) -> None:
        (tmp_path / "policy.json").write_text(json.dumps(rules))
        monkeypatch.setenv("SWAPTALK_POLICY", str(tmp_path / "policy.json"))

    return write


@pytest.fixture
def portrait_file(photo: Path, tmp_path: Path) -> Path:
    write_image(tmp_path / "plain.jpg", read_image(photo)[::4, ::4])
    return tmp_path / "plain.jpg"


def signed(photo: Path, until: datetime.date | None = None, **identity: Path) -> Path:
    output = photo.with_name("consented.jpg")
    credential = ConsentCredential("Grace", "May speak for us", until)
    sign_consent(photo, output, credential, "1", signing_identity(**identity))
    return output


def options(photo: Path, **more: object) -> GenerateOptions:
    return GenerateOptions(target="t.mp4", source=photo, output="o.mp4", **more)


def test_a_text_and_a_file_are_recorded_with_their_hash(tmp_path: Path) -> None:
    assert consent_statement("Yes.").assertion == {
        "sha256": hashlib.sha256(b"Yes.").hexdigest(),
        "text": "Yes.",
    }
    (tmp_path / "contract.pdf").write_bytes(b"secret terms")
    record = consent_statement(str(tmp_path / "contract.pdf")).assertion
    assert record == {"sha256": hashlib.sha256(b"secret terms").hexdigest(), "file": "contract.pdf"}


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "is empty"), ("contrcat.pdf", "no such file"), ("a " * 2000, "too long")],
)
def test_statements_that_are_none(given: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        consent_statement(given)


def test_a_credential_is_found_and_recorded(portrait_file: Path) -> None:
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    allowed = authorise(options(signed(portrait_file, tomorrow)))
    assert [one.person for one in allowed.credentials] == ["Grace"] and allowed.credentials[
        0
    ].until == tomorrow
    assert authorise(options(portrait_file)).credentials == ()


def test_a_credential_that_has_run_out(portrait_file: Path) -> None:
    with pytest.raises(InputError, match="the consent of Grace ended on 2020-01-01"):
        authorise(options(signed(portrait_file, datetime.date(2020, 1, 1))))


def test_a_credential_holds_for_its_photo_only(portrait_file: Path) -> None:
    photo = signed(portrait_file)
    content = bytearray(photo.read_bytes())
    content[-200] ^= 1  # in the picture
    photo.write_bytes(content)
    with pytest.raises(InputError, match="credential is not valid"):
        authorise(options(photo))


def test_a_policy_demands_a_credential_of_a_trusted_signer(
    policy, portrait_file: Path, agency: dict[str, Path]
) -> None:
    policy(require_consent="credential", trusted_signers=[str(agency["authority"])])
    for photo in (
        portrait_file,
        signed(portrait_file),
    ):  # none, and one that we have signed ourselves
        with pytest.raises(
            InputError, match="no consent credential of a signer that the policy trusts"
        ):
            authorise(options(photo, consent="She said yes."))
    photo = signed(portrait_file, certificate=agency["certificate"], key=agency["key"])
    assert authorise(options(photo)).credentials[0].person == "Grace"


def test_a_policy_demands_a_statement_a_label_and_a_certificate(
    policy, portrait_file: Path
) -> None:
    policy(require_consent="statement")
    with pytest.raises(InputError, match="--consent is missing, which the policy demands"):
        authorise(options(portrait_file))
    assert authorise(options(portrait_file, consent="Yes.")).consent is not None
    policy(require_label=True)
    with pytest.raises(InputError, match="--label is missing"):
        authorise(options(portrait_file))
    policy(require_certificate=True)
    with pytest.raises(InputError, match="--certificate is missing"):
        authorise(options(portrait_file))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"require_concent": "statement"}',
        '{"require_consent": "yes"}',
        '{"trusted_signers": "agency.pem"}',
    ],
)
def test_a_misspelt_policy_is_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_policy().require_consent == "none"
    (tmp_path / "swaptalk-policy.json").write_text(text)
    with pytest.raises(InputError, match="policy"):
        load_policy()


def test_a_named_policy_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAPTALK_POLICY", "nowhere.json")
    with pytest.raises(InputError, match="no such policy file"):
        load_policy()


def test_reservations_against_ai_are_read() -> None:
    entries = {"entries": {"cawg.ai_inference": {"use": "notAllowed"}}}
    reading = ManifestReading(
        True, False, (), "", False, "", None, (), (), (), {"cawg.training-mining": entries}
    )
    assert reserves_ai_use(reading) and not reserves_ai_use(None)
    entries["entries"]["cawg.ai_inference"]["use"] = "allowed"
    assert not reserves_ai_use(reading)


def test_the_command_signs_a_photo(
    portrait_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "yes.jpg"
    command = [
        "consent",
        str(portrait_file),
        "--output",
        str(output),
        "--person",
        "Grace",
        "--statement",
        "I agree",
    ]
    assert main([*command, "--until", "2199-12-31"]) == 0
    assert "signed by SwapTalk self-signed" in capsys.readouterr().out
    reading = read_manifest(output)
    assert reading is not None and reading.valid
    assert reading.assertions["swaptalk.consent-credential"]["until"] == "2199-12-31"
    assert (read_image(output) == read_image(portrait_file)).all()
    assert main([*command, "--until", "soon"]) == 2 and "is not a date" in capsys.readouterr().err
