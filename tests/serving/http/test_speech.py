"""Speech by a program that is slow: refused at once, never kept waiting."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from swaptalk.serving.http.context import MOST_SPEAKERS

#: Says that it has begun, and speaks only when it is told to: no clock decides.
SLOW = """#!{python}
import json, sys, wave
if sys.argv[1] == "list":
    sys.exit(print(json.dumps([dict(id="slow", name="Slow", language="en", terms="A test.")])))
text = sys.stdin.read()
open({folder!r} + "/begun " + text, "w").close()
open({folder!r} + "/go " + text).close()
with wave.open(sys.argv[3], "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", None))
    file.writeframes(bytes(range(100)) * 160)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes tell the program when")
def test_busy_voices_say_when_to_come_again(
    serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"Text {number}" for number in range(MOST_SPEAKERS + 1)]
    for text in texts:
        os.mkfifo(tmp_path / f"begun {text}")
        os.mkfifo(tmp_path / f"go {text}")
    program = tmp_path / "slow"
    program.write_text(SLOW.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(0o700)
    monkeypatch.setenv("SWAPTALK_VOICES_COMMAND", str(program))
    server = serve()

    def speak(text: str) -> httpx.Response:
        return httpx.post(
            f"{server.url}/api/v1/speech", json={"text": text, "voice": "plugin:slow"}, timeout=None
        )

    with ThreadPoolExecutor(MOST_SPEAKERS) as pool:
        spoken = []
        for text in texts[:-1]:
            spoken.append(pool.submit(speak, text))
            (tmp_path / f"begun {text}").open().close()  # waits until it speaks
        refused = speak(texts[-1])
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:swaptalk:problem:voice-busy"
        assert "Try again" in refused.json()["remedy"]
        # Everything else is answered meanwhile.
        assert server.client.get("/api/v1/jobs").status_code == 200
        for text in texts[:-1]:
            (tmp_path / f"go {text}").open("w").close()
        assert [one.result().status_code for one in spoken] == [201] * MOST_SPEAKERS
        after = pool.submit(speak, texts[-1])  # now there is room
        (tmp_path / f"begun {texts[-1]}").open().close()
        (tmp_path / f"go {texts[-1]}").open("w").close()
        assert after.result().status_code == 201
