"""A small clip of a real face, and a voice, made on the spot; photographs in the public domain from
packages."""

from __future__ import annotations

import os
import shutil
import tempfile
import wave
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

#: PyTorch's threads sleep while they wait instead of spinning: workers share the cores, and what
#: spins takes them from the others (a third of the processor time of `cli/test_evaluate.py`).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from swaptalk.assets import catalogue  # noqa: E402
from swaptalk.errors import SwapTalkError  # noqa: E402
from swaptalk.media.image import read_image  # noqa: E402
from swaptalk.media.mux import AudioSource, mux  # noqa: E402
from swaptalk.media.video_writer import VideoWriter  # noqa: E402

WIDTH, HEIGHT = 160, 144


#: The files that take longest, longest first, of those that take more than ten seconds.
LONGEST = (
    "training/test_smoke.py",
    "cli/test_evaluate.py",
    "pipeline/template/test_template_swap.py",
    "serving/worker/test_durability.py",
    "serving/worker/test_cluster.py",
    "batch/test_run.py",
    "fuzz/test_fuzz.py",
    "serving/http/test_jobs_api.py",
    "cli/test_generate.py",
    "examples/test_examples.py",
    "pipeline/template/test_template.py",
    "pipeline/test_api.py",
    "pipeline/test_people.py",
    "media/test_sandbox.py",
    "pipeline/test_outputs.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist begin files in our order, not that of their numbers of tests: a file that
    takes a minute and is begun last keeps one core busy while the others have nothing to do."""
    config.option.loadscopereorder = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: tests of servers, clusters and killed programs wait for others
    much of the time. On two cores the suite takes a tenth less."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others follow as they were found."""
    place = {f"tests/{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


@pytest.fixture(scope="session", autouse=True)
def own_configuration() -> Iterator[None]:
    """Keys made by tests stay out of the user's folder; programs that tests start inherit this."""
    with tempfile.TemporaryDirectory(prefix="swaptalk-tests-") as folder:
        before = os.environ.get("SWAPTALK_CONFIG_DIR")
        os.environ["SWAPTALK_CONFIG_DIR"] = folder
        yield
        if before is None:
            del os.environ["SWAPTALK_CONFIG_DIR"]
        else:
            os.environ["SWAPTALK_CONFIG_DIR"] = before


@pytest.fixture(scope="session")
def photo() -> Path:
    """A portrait in the public domain."""
    try:
        return catalogue.resolve("grace-hopper", progress=False)
    except SwapTalkError as error:
        pytest.skip(f"the photograph is not to be had: {error}")


@pytest.fixture(scope="session")
def other_photo() -> Path:
    """Another person."""
    try:
        return catalogue.resolve("astronaut", progress=False)
    except SwapTalkError as error:
        pytest.skip(f"the photograph is not to be had: {error}")


@pytest.fixture
def model() -> Callable[[str], Path]:
    """Path of a pinned file by name, without ever fetching it."""

    def path(name: str) -> Path:
        asset = catalogue.get(name)
        if catalogue.status(asset) != "ready":
            pytest.skip(f"{asset.file} is not there: 'swaptalk models pull' fetches it")
        return catalogue.resolve(name, progress=False)

    return path


@pytest.fixture
def astronaut(model: Callable[[str], Path]) -> NDArray[np.uint8]:
    """A public-domain portrait, (512, 512, 3) uint8."""
    return np.asarray(Image.open(model("astronaut")).convert("RGB"))


MakeClip = Callable[..., Path]


@pytest.fixture(scope="session")
def portrait(photo: Path) -> NDArray[np.uint8]:
    """Head and shoulders, WIDTH x HEIGHT with a margin for motion."""
    picture = read_image(photo)[20:380, 60:460]
    small = cv2.resize(picture, (WIDTH + 16, HEIGHT + 16), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


@pytest.fixture(scope="session")
def film(portrait: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> MakeClip:
    """Makes the clips of `make_clip` at any path; one that was made before is only copied."""
    folder, made = tmp_path_factory.mktemp("clips"), dict[tuple[object, ...], Path]()

    def make(
        path: Path,
        frames: int = 10,
        fps: Fraction | int = 25,
        faceless: range = range(0),
        sound: Path | None = None,
    ) -> Path:
        heard = None if sound is None else sound.read_bytes()
        key = (path.suffix, frames, fps, faceless, heard)
        if key not in made:
            silent = folder / f"{len(made)}.silent.mp4"
            with VideoWriter(silent, WIDTH, HEIGHT, fps, quality=12) as writer:
                for index in range(frames):
                    x, y = round(8 + 8 * np.sin(index / 4)), round(8 + 4 * np.cos(index / 5))
                    picture = np.ascontiguousarray(portrait[y : y + HEIGHT, x : x + WIDTH])
                    writer.write(np.full_like(picture, 90) if index in faceless else picture)
            whole = folder / f"{len(made)}{path.suffix}"
            mux([silent], None if sound is None else AudioSource(sound), whole, fps)
            silent.unlink()
            made[key] = whole
        return Path(shutil.copy(made[key], path))

    return make


@pytest.fixture
def make_clip(tmp_path: Path, film: MakeClip) -> MakeClip:
    """Factory of clips: the portrait drifts by up to 8 pixels; faceless frames are grey."""

    def make(name: str = "target.mp4", *arguments: object, **settings: object) -> Path:
        return film(tmp_path / name, *arguments, **settings)

    return make


def speech_like(seconds: float, rate: int = 16000) -> NDArray[np.float32]:
    """What an energy gate takes for speech: harmonics with a syllable's envelope."""
    t = np.arange(round(seconds * rate)) / rate
    tone = np.sum([np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 15)], axis=0)
    return (0.12 * tone * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * t))).astype(np.float32)


def record(path: Path, samples: NDArray[np.float32]) -> Path:
    """Write samples at 16 kHz to a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


MakeWav = Callable[..., Path]


@pytest.fixture
def make_wav(tmp_path: Path) -> MakeWav:
    """Factory of recordings at 16 kHz: a voice of so many seconds, or the samples given."""

    def make(
        seconds: float = 0.4, name: str = "words.wav", samples: NDArray[np.float32] | None = None
    ) -> Path:
        return record(tmp_path / name, speech_like(seconds) if samples is None else samples)

    return make


@pytest.fixture
def voice() -> Callable[[float], NDArray[np.float32]]:
    """So many seconds of what an energy gate takes for speech, at 16 kHz."""
    return speech_like


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a Ray cluster of two machines (two node daemons on this one), a CPU each."""
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        # Else its workers wait for whatever else this machine does.
        patch.setenv("RAY_worker_niceness", "0")
        two = Cluster(initialize_head=True, head_node_args=settings)
        two.add_node(num_cpus=1, object_store_memory=80 << 20)
        two.wait_for_nodes()
    yield two.address
    two.shutdown()
