"""Fuzz a running server by its OpenAPI description: no server error, every answer as described.

pip install schemathesis
python benchmarks/serving/fuzz_api.py --examples 60
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile


def main() -> int:
    """Start a server, let schemathesis loose on it, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=60, help="for each operation and phase")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
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
            "1",
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            # The event stream of all jobs does not end, so a fuzzer would wait for ever. That data
            # of the right form is refused is right here: bytes that are no video, names of uploads
            # that do not exist.
            return subprocess.run(
                [
                    "schemathesis",
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
                ],
                check=False,
            ).returncode
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    raise SystemExit(main())
