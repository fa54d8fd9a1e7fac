"""Fuzz a running server by its OpenAPI description: no server error, every answer as described.

pip install schemathesis
python benchmarks/serving/fuzz_api.py --examples 60
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

#: What the fuzzer takes for names in paths the second time: things that exist.
_SETTINGS = """
[parameters]
"path.upload" = "{upload}"
"path.job" = "{job}"
"""


def settings(address: str) -> str:
    """Make an upload and a finished preview; the settings that name them."""
    with httpx.Client(base_url=address, timeout=120) as client:
        given = client.post("/api/v1/example").raise_for_status().json()
        job = {
            "kind": "preview",
            "at": 0.5,
            "target": given["target"]["id"],
            "source": [given["source"]["id"]],
            "audio": given["audio"]["id"],
        }
        path = (
            f"/api/v1/jobs/{client.post('/api/v1/jobs', json=job).raise_for_status().json()['id']}"
        )
        while client.get(path).json()["state"] != "done":
            time.sleep(0.5)
    return _SETTINGS.format(upload=given["target"]["id"], job=path.rsplit("/", 1)[1])


def fuzz(address: str, given: argparse.Namespace, *more: str, config: Path | None = None) -> int:
    """Let schemathesis loose on a server; returns its exit code."""
    # The event stream of all jobs does not end, so a fuzzer would wait for ever. That data of the
    # right form is refused is right here: bytes that are no video, names of uploads that do not
    # exist.
    return subprocess.run(
        [
            "schemathesis",
            *([] if config is None else ["--config-file", str(config)]),
            "run",
            f"{address}api/openapi.json",
            "--checks",
            "all",
            "--seed",
            str(given.seed),
            "--max-examples",
            str(given.examples),
            "--exclude-path",
            "/api/v1/events",
            "--request-timeout",
            "30",
            "--exclude-checks",
            "positive_data_acceptance",
            "--continue-on-failure",
            *more,
        ],
        check=False,
    ).returncode


def main() -> int:
    """Start a server, fuzz it with made-up names and then with those of things that exist."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=60, help="for each operation and phase")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data")
        command = [
            sys.executable,
            "-m",
            "swaptalk",
            "serve",
            "--port",
            "0",
            "--data",
            data,
            "--max-upload-mb",
            "2",
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            first = fuzz(address, given)
            config = Path(folder) / "schemathesis.toml"
            config.write_text(settings(address), encoding="utf-8")
            # Wrong names would be replaced by right ones, and then be called accepted.
            only = ["--mode", "positive", "--phases", "coverage,fuzzing"]
            return first or fuzz(address, given, *only, "--exclude-method", "DELETE", config=config)
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    raise SystemExit(main())
