from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import c2pa
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from swaptalk.cli.verify import describe
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.media.image import read_image, write_image
from swaptalk.media.sandbox.decoder import DecoderProcess
from swaptalk.media.video_writer import VideoWriter
from swaptalk.provenance import manifest
from swaptalk.provenance.consent import consent_statement
from swaptalk.provenance.manifest import OutputRecord, UsedInput, sign_output
from swaptalk.provenance.manifest_read import read_manifest
from swaptalk.provenance.signing import (
    KEY_FILE,
    SigningIdentity,
    config_directory,
    signing_identity,
)
from swaptalk.provenance.verify import verify

IDENTIFIER = 0xABCDEF


def record(*inputs: UsedInput) -> OutputRecord:
    return OutputRecord(
        "1.2.3",
        "ab" * 32,
        {"swaptalk": "cd" * 32},
        inputs,
        ("face replaced",),
        IDENTIFIER,
        consent=consent_statement("She said yes."),
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 64, 64, 25) as writer:
        for level in range(8):
            writer.write(np.full((64, 64, 3), 20 * level, np.uint8))
    return path


@pytest.fixture
def signed(clip: Path, tmp_path: Path) -> Path:
    output = tmp_path / "signed.mp4"
    sign_output(clip, output, record(UsedInput("target", clip, "00" * 32)), signing_identity())
    return output


def test_the_librarys_own_reader_accepts_it(signed: Path) -> None:
    with signed.open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        assert reader.get_validation_state() == "Valid"
        manifest = reader.get_active_manifest()
    assert manifest["signature_info"]["issuer"] == "SwapTalk self-signed"
    actions = next(
        one["data"]["actions"]
        for one in manifest["assertions"]
        if one["label"] == "c2pa.actions.v2"
    )
    assert [one["action"] for one in actions] == [
        "c2pa.opened",
        "c2pa.edited",
        "c2pa.watermarked.unbound",
    ]
    assert actions[1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    job = next(one["data"] for one in manifest["assertions"] if one["label"] == "swaptalk.job")
    assert job["watermark"]["identifier"] == "0000000000abcdef" and job["weights"] == {
        "swaptalk": "cd" * 32
    }
    consent = next(
        one["data"] for one in manifest["assertions"] if one["label"] == "swaptalk.consent"
    )
    assert consent["text"] == "She said yes." and len(consent["sha256"]) == 64


def test_our_reading_of_it(signed: Path) -> None:
    reading = read_manifest(signed)
    assert (
        reading is not None
        and reading.valid
        and reading.own
        and reading.declares_ai
        and not reading.problems
    )
    assert reading.generator == "SwapTalk 1.2.3"
    assert [(one.title, one.relationship) for one in reading.ingredients] == [
        ("clip.mp4", "parentOf")
    ]


@pytest.mark.parametrize("place", ["pictures", "manifest"])
def test_a_changed_byte_is_found(signed: Path, place: str) -> None:
    content = bytearray(signed.read_bytes())
    where = content.index(b"mdat") + 40 if place == "pictures" else content.index(b"face replaced")
    content[where] ^= 1
    signed.write_bytes(content)
    reading = read_manifest(signed)
    assert reading is not None and not reading.valid
    assert any("ash" in problem for problem in reading.problems), reading.problems


def test_files_without_a_manifest(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video at all")
    assert read_manifest(clip) is None and read_manifest(tmp_path / "text.mp4") is None


def test_manifests_of_strangers_are_read_by_the_decoding_process(signed: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from swaptalk.provenance.manifest_read import "
        "read_manifest\n"
        "assert read_manifest(Path(sys.argv[1])).valid and 'c2pa' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(signed)], check=True)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_manifest_that_crashes_its_reader_is_one_line(
    signed: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = DecoderProcess.read

    def crash(process: DecoderProcess, *arguments: object) -> object:
        os.kill(process.process_id, signal.SIGSEGV)
        return read(process, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(DecoderProcess, "read", crash)
        with pytest.raises(
            InputError, match=r"signed.mp4: the decoder crashed on it \(SIGSEGV\); "
        ):
            read_manifest(signed)
        # And an input that does so stays an input, without its manifest.
        output = tmp_path / "second.mp4"
        sign_output(
            clip, output, record(UsedInput("target", signed, "11" * 32)), signing_identity()
        )
    reading = read_manifest(output)
    assert reading is not None and reading.valid and reading.ingredients[0].manifest is None


def test_a_signed_manifest_with_parts_of_wrong_kinds(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "strange.mp4"
    monkeypatch.setattr(manifest, "_actions", lambda record: [])
    monkeypatch.setattr(manifest, "_job", lambda record: ["no", "object"])
    hostile = dataclasses.replace(
        record(UsedInput("target", clip, "00" * 32)), version="1\x1b[2J\nmarked"
    )
    sign_output(clip, output, hostile, signing_identity())
    reading = read_manifest(output)
    assert reading is not None and reading.assertions["swaptalk.job"] == ["no", "object"]
    verification = verify(output)
    assert not verification.marked and verification.recorded_identifier is None
    said = describe(verification)
    assert "\x1b" not in said and "\nmarked" not in said


def test_pictures_and_sound_stay_as_they_are(clip: Path, signed: Path) -> None:
    def media(path: Path) -> bytes:
        content = path.read_bytes()
        start = content.index(b"mdat")
        return content[start : start + int.from_bytes(content[start - 4 : start], "big") - 4]

    assert media(clip) == media(signed)


def test_inputs_keep_their_own_manifests(signed: Path, clip: Path, tmp_path: Path) -> None:
    speech = tmp_path / "speech.opus"
    speech.write_bytes(b"OggS" + bytes(100))
    output = tmp_path / "second.mp4"
    inputs = (UsedInput("target", signed, "11" * 32), UsedInput("audio", speech, "22" * 32))
    sign_output(clip, output, record(*inputs), signing_identity())
    reading = read_manifest(output)
    assert reading is not None and reading.valid
    target, audio = reading.ingredients
    assert (
        target.manifest is not None
        and audio.manifest is None
        and audio.relationship == "componentOf"
    )
    with output.open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        store = json.loads(reader.json())
    assert (
        len(store["manifests"]) == 2
        and store["manifests"][target.manifest]["title"] == "signed.mp4"
    )


def test_the_key_is_made_once_and_nobody_else_may_read_it() -> None:
    first, second = signing_identity(), signing_identity()
    assert first.fingerprint == second.fingerprint
    assert "self-signed" in first.leaf.subject.rfc4514_string()
    if os.name == "posix":
        assert stat.S_IMODE((config_directory() / KEY_FILE).stat().st_mode) == 0o600


def test_two_first_runs_at_once_agree_on_one_key(tmp_path: Path) -> None:
    code = (
        "from swaptalk.provenance.signing import signing_identity; "
        "print(signing_identity().fingerprint)"
    )
    environment = {**os.environ, "SWAPTALK_CONFIG_DIR": str(tmp_path / "new")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(3)
    ]
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1 and len(said.pop()) > 32
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY_FILE]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SWAPTALK_CONFIG_DIR", str(tmp_path / "file"))
    with pytest.raises(SwapTalkError, match="could not be stored.*SWAPTALK_CONFIG_DIR"):
        signing_identity()


def test_ones_own_certificate(agency: dict[str, Path], clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "signed.mp4"
    identity = signing_identity(agency["certificate"], agency["key"])
    sign_output(clip, output, record(UsedInput("target", clip, "00" * 32)), identity)
    stranger = read_manifest(output)
    assert stranger is not None and stranger.valid and not stranger.trusted and not stranger.own
    assert stranger.signer == "Example Agency"
    known = read_manifest(output, [agency["authority"].read_text()])
    assert known is not None and known.trusted and not known.own


def test_keys_that_do_not_fit(agency: dict[str, Path], tmp_path: Path) -> None:
    other = config_directory() / KEY_FILE
    signing_identity()
    with pytest.raises(InputError, match="is not the key of the certificate"):
        signing_identity(agency["certificate"], other)
    with pytest.raises(InputError, match="its own issuer"):
        signing_identity(agency["own-issuer"], agency["key"])
    with pytest.raises(InputError, match="--certificate without --key"):
        signing_identity(agency["certificate"])
    with pytest.raises(InputError, match="not a readable private key"):
        signing_identity(agency["certificate"], agency["authority"])


def test_a_callback_signs(agency: dict[str, Path], clip: Path, tmp_path: Path) -> None:
    asked = []
    inner = signing_identity(agency["certificate"], agency["key"])

    def service(data: bytes) -> bytes:
        asked.append(len(data))
        return inner.sign(data)

    output = tmp_path / "signed.mp4"
    identity = SigningIdentity(inner.certificates, "ES384", service)
    sign_output(clip, output, record(UsedInput("target", clip, "00" * 32)), identity)
    reading = read_manifest(output)
    assert asked and reading is not None and reading.valid


def test_a_wrong_signature_leaves_nothing_behind(
    agency: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    inner = signing_identity(agency["certificate"], agency["key"])
    stranger = ec.generate_private_key(ec.SECP384R1())

    def fails(data: bytes) -> bytes:
        raise ConnectionError("the key service is away")

    output = tmp_path / "signed.mp4"
    with pytest.raises(SwapTalkError, match="the key service is away"):
        sign_output(clip, output, record(), SigningIdentity(inner.certificates, "ES384", fails))
    assert not output.exists() and not list(tmp_path.glob("*.part"))
    number = stranger.private_numbers().private_value.to_bytes(48, "big")
    with pytest.raises(SwapTalkError, match="could not be signed"):
        sign_output(
            clip,
            output,
            record(UsedInput("target", clip, "00" * 32)),
            SigningIdentity(inner.certificates, "ES384", lambda data: number * 2),
        )
    assert not output.exists() and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_photos_are_signed_too(tmp_path: Path, suffix: str) -> None:
    photo, output = tmp_path / f"photo{suffix}", tmp_path / f"signed{suffix}"
    write_image(photo, np.full((80, 90, 3), (200, 120, 40), np.uint8))
    sign_output(photo, output, record(UsedInput("target", photo, "00" * 32)), signing_identity())
    reading = read_manifest(output)
    assert reading is not None and reading.valid
    assert (read_image(output) == read_image(photo)).all()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_called_that(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "signed.mp4"
    real = io.FileIO
    monkeypatch.setattr(io, "FileIO", lambda path, mode: real("/dev/full", mode))
    with pytest.raises(InputError, match="the disk is full"):
        sign_output(clip, output, record(UsedInput("target", clip, "00" * 32)), signing_identity())
    assert not output.exists()
