"""Fetch a pinned package archive (wheel, sdist or npm tarball) without installing or running it.

The ordinary clients do the talking, so that the user's own settings (index, mirror, proxy,
certificates, logins, offline wheel folders) hold: ``pip download`` for PyPI and ``npm pack`` for
npm. Nothing here knows a host name.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from swaptalk.errors import SwapTalkError
from swaptalk.storage.hashing import BLOCK, sha256_of

#: How often the progress bar looks at what has arrived (seconds).
POLL_SECONDS = 0.1
#: Seconds without an answer after which the plain HTTPS download gives up.
HTTP_TIMEOUT = 60.0

_OFFLINE_REMEDY = (
    "or set SWAPTALK_MODELS_DIR to a folder made with 'swaptalk models pull --to' elsewhere"
)

# Stands in for setuptools while pip looks at an sdist: pip only wants a name and a version, which
# are pinned, and so the package's own setup.py never runs.
_METADATA_ONLY_BACKEND = """
import os

class _MetadataOnly:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, directory, config_settings=None):
        name, version = os.environ["SWAPTALK_SDIST_NAME"], os.environ["SWAPTALK_SDIST_VERSION"]
        folder = f"{name.replace('-', '_')}-{version}.dist-info"
        os.makedirs(os.path.join(directory, folder))
        with open(os.path.join(directory, folder, "METADATA"), "w", encoding="utf-8") as file:
            file.write(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        return folder

__legacy__ = _MetadataOnly()
"""


@dataclass(frozen=True)
class Package:
    """One pinned archive: ``size`` in bytes, ``sha256`` in hexadecimal of the archive as the
    registry serves it.

    ``platform`` and ``python`` choose one wheel of a package with compiled parts; the files taken
    from it are data, so any wheel serves every machine.
    """

    name: str
    version: str
    registry: Literal["pypi", "npm"]
    kind: Literal["wheel", "sdist", "tarball"]
    size: int
    sha256: str
    platform: str | None = None
    python: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def fetch_archive(package: Package, staging: Path, *, progress: bool = True) -> Path:
    """Download ``package`` into the empty folder ``staging`` and return the verified archive.

    Raises:
        SwapTalkError: the client is missing or fails, or the archive is not the pinned one.
    """
    with tqdm(
        total=package.size,
        unit="B",
        unit_scale=True,
        desc=str(package),
        leave=False,
        disable=None if progress else True,
    ) as bar:
        archive = (
            _fetch_with_pip(package, staging, bar)
            if package.registry == "pypi"
            else _fetch_npm(package, staging, bar)
        )
    found = sha256_of(archive)
    if found != package.sha256:
        raise SwapTalkError(
            f"the archive {archive.name} of {package} has SHA-256 {found}, expected "
            f"{package.sha256}: it was refused",
            remedy="check the index or mirror that your package client uses",
        )
    return archive


def _fetch_with_pip(package: Package, staging: Path, bar: tqdm[None]) -> Path:
    command, environment = pip_command()
    destination = staging / "archive"
    destination.mkdir()
    arguments = [
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--dest",
        str(destination),
    ]
    if package.kind == "sdist":
        backend = staging / "backend" / "setuptools"
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        (backend / "build_meta.py").write_text(_METADATA_ONLY_BACKEND, encoding="utf-8")
        path = os.pathsep.join(p for p in (str(backend.parent), environment.get("PYTHONPATH")) if p)
        environment |= {
            "PYTHONPATH": path,
            "SWAPTALK_SDIST_NAME": package.name,
            "SWAPTALK_SDIST_VERSION": package.version,
        }
        arguments += ["--no-binary", package.name, "--no-build-isolation", "--use-pep517"]
    else:
        arguments += ["--only-binary", ":all:"]  # never build anything
        if package.platform is not None and package.python is not None:
            arguments += ["--platform", package.platform, "--python-version", package.python]
            arguments += ["--implementation", "cp", "--abi", "cp" + package.python.replace(".", "")]
    # Nothing is installed, so a user's rules about installing are not broken; hashes are checked
    # here.
    environment |= {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_REQUIRE_HASHES": "0"}
    _run_client(
        [*command, *arguments, f"{package.name}=={package.version}"],
        package,
        staging,
        environment,
        bar,
    )
    return _only_file(destination, package)


def pip_command() -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of pip: the installed one, else that inside Python.

    Raises:
        SwapTalkError: neither exists.
    """
    environment = dict(os.environ)
    if importlib.util.find_spec("pip") is None:
        bundled = None
        if (
            ensurepip := importlib.util.find_spec("ensurepip")
        ) is not None and ensurepip.origin is not None:
            bundled = next(
                iter(sorted(Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"))), None
            )
        if bundled is None:
            raise SwapTalkError(
                "pip is needed to fetch model files and is not in this Python environment",
                remedy="install it (python -m ensurepip, or uv pip install pip), "
                f"{_OFFLINE_REMEDY}",
            )
        environment["PYTHONPATH"] = os.pathsep.join(
            p for p in (str(bundled), environment.get("PYTHONPATH")) if p
        )
    return [sys.executable, "-m", "pip"], environment


def _fetch_npm(package: Package, staging: Path, bar: tqdm[None]) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        return _fetch_npm_over_https(package, staging, bar)
    destination = staging / "archive"
    destination.mkdir()
    command = [
        npm,
        "pack",
        f"{package.name}@{package.version}",
        "--ignore-scripts",
        "--pack-destination",
        str(destination),
    ]
    environment = dict(os.environ)
    # npm keeps every download in a cache of its own; in the staging folder it is watched for the
    # bar, then dropped.
    environment["npm_config_cache"] = str(staging / "npm-cache")
    _run_client(command, package, staging, environment, bar)
    return _only_file(destination, package)


def npm_registry(environment: Mapping[str, str], npmrc: Path) -> str | None:
    """Return the registry that npm is configured with, by environment variable or ``.npmrc``."""
    for variable in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if environment.get(variable):
            return environment[variable]
    if npmrc.is_file():
        settings = npmrc.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^\s*registry\s*=\s*(\S+)", settings, re.MULTILINE)
        return found.group(1) if found else None
    return None


def _fetch_npm_over_https(package: Package, staging: Path, bar: tqdm[None]) -> Path:
    # Only here: they are a tenth of all that a job imports, and what is cached is not fetched.
    import http.client
    import urllib.error
    import urllib.parse
    import urllib.request

    registry = npm_registry(os.environ, Path.home() / ".npmrc")
    if registry is None:
        raise SwapTalkError(
            f"npm is needed to fetch {package} and is not installed",
            remedy="install Node.js with npm, or set npm_config_registry to the address of your "
            "npm registry",
        )
    address = urllib.parse.urlsplit(registry)
    if address.scheme != "https" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise SwapTalkError(
            f"the npm registry {registry} is not an https address", remedy="set npm_config_registry"
        )
    filename = f"{package.name.rsplit('/', 1)[-1]}-{package.version}.tgz"
    target = staging / filename
    try:
        reply = urllib.request.urlopen(
            f"{registry.rstrip('/')}/{package.name}/-/{filename}", timeout=HTTP_TIMEOUT
        )
        with reply, target.open("wb") as file:
            while block := reply.read(BLOCK):
                if file.tell() + len(block) > package.size:
                    raise SwapTalkError(
                        f"{package} is larger than pinned: refused",
                        remedy="check npm_config_registry",
                    )
                file.write(block)
                bar.update(len(block))
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise SwapTalkError(
            f"cannot fetch {package} from {registry} ({error})",
            remedy="check the network connection and try again",
        ) from error
    return target


def _run_client(
    command: list[str],
    package: Package,
    staging: Path,
    environment: dict[str, str],
    bar: tqdm[None],
) -> None:
    """Run a package client; move ``bar`` with the bytes on disk; kill it on interruption."""
    scratch = staging / "scratch"
    scratch.mkdir()
    environment |= {"TMPDIR": str(scratch), "TMP": str(scratch), "TEMP": str(scratch)}
    log = staging / "client.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=scratch,
        )
        try:
            while True:
                try:
                    status = process.wait(timeout=POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    bar.update(max(0, min(_bytes_below(staging), package.size) - bar.n))
        except BaseException:
            process.kill()
            process.wait()
            raise
    bar.update(package.size - bar.n)
    if status != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [
            line for line in lines if re.match(r"\s*(error|npm err)", line, re.IGNORECASE)
        ] or lines[-1:]
        said = errors[-1].strip() if errors else "it said nothing"
        raise SwapTalkError(
            f"{Path(command[0]).stem} could not fetch {package} ({said})",
            remedy="check the network connection and the client's settings and try again, "
            f"{_OFFLINE_REMEDY}",
        )


def _bytes_below(folder: Path) -> int:
    """Return the total size of files in a folder that another process is writing."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(directory, name)).st_size
            except OSError:
                continue  # gone since it was listed
    return total


def _only_file(folder: Path, package: Package) -> Path:
    files = list(folder.iterdir())
    if len(files) != 1:
        raise SwapTalkError(
            f"expected one archive of {package}, found {len(files)}",
            remedy="check the package client's settings",
        )
    return files[0]
