"""Pulls real wheels, sdists and npm tarballs, made here, with the real pip and npm from a registry
on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from swaptalk.assets import catalogue
from swaptalk.assets.packages import npm_registry
from swaptalk.errors import InputError, SwapTalkError
from swaptalk.storage.cache import CACHE_VARIABLE

from .conftest import ALARM, FIRST, SECOND, Registry, UsePins


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_files_of_one_wheel_come_in_one_download_and_stay(
    registry: Registry, use_pins: UsePins
) -> None:
    paths = catalogue.resolve_all(["a", "b"])
    assert paths["a"].read_bytes() == FIRST and paths["b"].read_bytes() == SECOND
    assert registry.taken == ["widgets-1.0-py3-none-any.whl"]
    assert entries(catalogue.cache_directory()) == ["a.bin", "b.bin"]
    registry.server.shutdown()  # from now on there is no network
    registry.server.server_close()
    assert catalogue.resolve("a") == paths["a"]


def test_sdist_is_read_without_running_its_setup(
    registry: Registry, use_pins: UsePins, tmp_path: Path
) -> None:
    assert catalogue.resolve("c").read_bytes() == FIRST
    assert not (tmp_path / ALARM).exists()


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_package(registry: Registry, use_pins: UsePins) -> None:
    assert catalogue.resolve("d").read_bytes() == SECOND


def test_npm_package_without_npm(
    registry: Registry, use_pins: UsePins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert catalogue.resolve("d").read_bytes() == SECOND


def test_npm_package_without_npm_and_registry(
    registry: Registry, use_pins: UsePins, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("npm_config_registry")
    with pytest.raises(SwapTalkError, match="install Node.js"):
        catalogue.resolve("d")
    monkeypatch.setenv("npm_config_registry", "http://registry.invalid")
    with pytest.raises(SwapTalkError, match="not an https address"):
        catalogue.resolve("d")


def test_npm_registry_comes_from_its_settings(tmp_path: Path) -> None:
    settings = tmp_path / ".npmrc"
    assert npm_registry({}, settings) is None
    settings.write_text("fund=false\nregistry = https://mirror.invalid/npm/\n")
    assert npm_registry({}, settings) == "https://mirror.invalid/npm/"
    assert (
        npm_registry({"npm_config_registry": "https://other.invalid"}, settings)
        == "https://other.invalid"
    )


def test_parts_of_two_packages_are_joined(registry: Registry, use_pins: UsePins) -> None:
    assert catalogue.resolve("joined").read_bytes() == FIRST + SECOND


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": {"sha256": "0" * 64}}, "expected 0000"),
        ({"a": {"size": 10}}, "larger than pinned"),
        ({"widgets": {"sha256": "0" * 64}}, "archive .* expected 0000"),
        (
            {"a": {"parts": [{"package": "widgets", "member": "widgets/gone.bin"}]}},
            "holds no readable",
        ),
        ({"widgets": {"version": "2.0"}}, "could not fetch widgets 2.0"),
        ({"a": {"parts": [{"package": "gadgets", "member": "gadgets-1.0"}]}}, "holds no readable"),
    ],
)
def test_what_is_not_as_pinned_is_refused(
    use_pins: UsePins, changes: dict[str, dict[str, object]], message: str
) -> None:
    use_pins(**changes)
    with pytest.raises(SwapTalkError, match=message) as caught:
        catalogue.resolve("a")
    assert "\n" not in str(caught.value)
    assert entries(catalogue.cache_directory()) == []


def test_damaged_file_in_the_cache_is_fetched_anew(registry: Registry, use_pins: UsePins) -> None:
    path = catalogue.resolve("a")
    path.write_bytes(b"x" * len(FIRST))
    assert catalogue.status(catalogue.get("a")) == "damaged"
    assert catalogue.resolve("a").read_bytes() == FIRST
    assert len(registry.taken) == 2


def test_offline_folder_never_downloads_and_says_all_that_is_missing(
    registry: Registry, use_pins: UsePins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "offline"
    catalogue.pull([catalogue.get("a")], folder)
    registry.taken.clear()
    (folder / "b.bin").write_bytes(b"wrong")
    monkeypatch.setenv(catalogue.OFFLINE_VARIABLE, str(folder))
    assert catalogue.resolve("a") == folder / "a.bin"
    with pytest.raises(SwapTalkError) as caught:
        catalogue.resolve_all(["a", "b", "c", "joined"])
    said = str(caught.value)
    assert (
        "lacks c.bin, joined.bin" in said
        and "wrong content for b.bin" in said
        and "pull b c joined --to" in said
    )
    assert registry.taken == []
    assert not catalogue.cache_directory().exists()


def test_offline_folder_must_exist(
    use_pins: UsePins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catalogue.OFFLINE_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="does not name a folder"):
        catalogue.resolve("a")


def test_offline_folder_can_be_copied_on(
    registry: Registry, use_pins: UsePins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.pull([catalogue.get("a")], tmp_path / "one")
    registry.taken.clear()
    monkeypatch.setenv(catalogue.OFFLINE_VARIABLE, str(tmp_path / "one"))
    assert catalogue.pull([catalogue.get("a")], tmp_path / "two")["a"].read_bytes() == FIRST
    assert registry.taken == []


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(InputError, match="did you mean face-mesh"):
        catalogue.resolve("face-mech")


def test_cache_that_cannot_be_made(
    use_pins: UsePins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(SwapTalkError, match="SWAPTALK_CACHE_DIR"):
        catalogue.resolve("a")


def test_leftovers_of_killed_pulls_are_cleared_in_time(use_pins: UsePins) -> None:
    old, new = (catalogue.cache_directory() / name for name in (".staging-old", ".staging-new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    catalogue.resolve("a")
    assert entries(catalogue.cache_directory()) == [".staging-new", "a.bin"]


PULL_IN_A_PROCESS = """
import sys
from pathlib import Path
from swaptalk.cli.main import main
from swaptalk.assets import catalogue
catalogue.PINS = Path(sys.argv[1])
raise SystemExit(main(["models", "pull", *sys.argv[2:]]))
"""


def start_pull(pins: Path, *names: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PULL_IN_A_PROCESS, str(pins), *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, tests among them, begin with Ctrl-C ignored, and so would what
        # they start.
        preexec_fn=None
        if os.name == "nt"
        else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_interrupted_pull_leaves_nothing(registry: Registry, use_pins: UsePins) -> None:
    registry.stall = True
    process = start_pull(use_pins(), "a")
    registry.stalled.wait()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert entries(catalogue.cache_directory()) == []


def test_pulls_of_several_processes_and_threads_at_once(
    registry: Registry, use_pins: UsePins
) -> None:
    processes = [start_pull(use_pins(), "a", "b", "joined") for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: catalogue.resolve_all(["b", "joined"]), range(4)))
    for process in processes:
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert all(path["joined"].read_bytes() == FIRST + SECOND for path in paths)
    assert entries(catalogue.cache_directory()) == ["a.bin", "b.bin", "joined.bin"]


def test_shipped_pins_are_complete() -> None:
    pinned = catalogue.catalogue()
    assert {a.name for a in pinned} >= {
        "blazeface-back",
        "blazeface-full-range",
        "face-mesh",
        "sface",
        "mobilefacenet",
        "lpips-alexnet",
        "lpips-vgg16",
        "mobilenetv2",
        "fr-feature",
    }
    assert len({a.file for a in pinned}) == len(pinned)
    for asset in pinned:
        assert asset.licence and asset.purpose and asset.size > 0 and asset.parts
        assert Path(asset.file).name == asset.file
        for digest in (asset.sha256, *(part.package.sha256 for part in asset.parts)):
            assert len(digest) == 64 and int(digest, 16)
        assert asset.use in ("run-time", "training", "evaluation", "tests")


@pytest.mark.network
@pytest.mark.skipif(
    os.environ.get("SWAPTALK_TEST_NETWORK") != "1", reason="SWAPTALK_TEST_NETWORK is not 1"
)
def test_every_shipped_pin_can_be_fetched(tmp_path: Path) -> None:
    paths = catalogue.pull(catalogue.catalogue(), tmp_path)
    assert all(path.is_file() for path in paths.values())
