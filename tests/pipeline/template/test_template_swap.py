"""A source built into a template: the same frames as without, made by fewer networks, and for that
source only."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.image import read_image, write_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.progress import Progress
from swaptalk.pipeline.render.swapped import SwapStore
from swaptalk.pipeline.template.file import describe_file
from swaptalk.pipeline.template.template import Template
from swaptalk.provenance.manifest_read import read_manifest

from ..conftest import PoolingNetworks
from .test_template import edited, resummed

SPAN, FRAMES = 30, 65  # a scene's shape is that of its first frames; smoothing reaches on by 25


class Unneeded(FaceAnalyser):
    """Finds nothing: every look at a face is an error."""

    def __init__(self) -> None:
        pass

    detector = mesh = recogniser = property(lambda self: pytest.fail("faces were looked for"))  # type: ignore[assignment]


class OfPhotos(FaceAnalyser):
    """Looks at photos only."""

    def tracker(self):  # type: ignore[no-untyped-def]
        pytest.fail("faces of the target were looked for")


@pytest.fixture
def job(make_clip, make_wav, other_photo: Path) -> dict:
    return {
        "source": other_photo,
        "target": make_clip(frames=10, faceless=range(6, 8)),
        "audio": make_wav(0.5),
        "lips": "latent",
    }


@pytest.fixture
def second_photo(other_photo: Path, tmp_path: Path) -> Path:
    """Another picture of the same person: in a mirror."""
    write_image(tmp_path / "second.png", np.ascontiguousarray(read_image(other_photo)[:, ::-1]))
    return tmp_path / "second.png"


@pytest.fixture(scope="module")
def built() -> list[bytes]:
    """The template of `job`, once it was built."""
    return []


@pytest.fixture
def template(maker: SwapTalk, job: dict, tmp_path: Path, built: list[bytes]) -> Template:
    """The target is the same in all tests, and so is its template, which finds it by name."""
    path = tmp_path / "T.swaptalk"
    if not built:
        maker.build_template(job["target"], path, source=job["source"])
        built.append(path.read_bytes())
    path.write_bytes(built[0])
    return Template.open(path)


def assert_same(maker: SwapTalk, job: dict, template: Path) -> None:
    assert_same_frames(list(maker.frames(**job)), list(maker.frames(**{**job, "target": template})))


def assert_same_frames(found: list, wanted: list) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"audio": None},
        {"length": "video"},
        {"extend": "freeze"},
        {"region": "mouth"},
    ],
)
def test_neither_face_finding_nor_swap_is_needed(
    maker: SwapTalk, networks: PoolingNetworks, template: Template, job: dict, settings: dict
) -> None:
    job = {**job, "restoration": False, **settings}
    without = list(maker.frames(**job))
    encoded, swapped = networks.encoded, networks.swapped
    with_template = list(SwapTalk(networks, Unneeded()).frames(**{**job, "target": template.path}))
    assert (networks.encoded, networks.swapped) == (encoded, swapped)
    assert len(without) >= 10
    assert_same_frames(with_template, without)


def test_faces_are_restored_from_the_photo(
    maker: SwapTalk, networks: PoolingNetworks, template: Template, job: dict
) -> None:
    without = list(maker.frames(**job))
    swapped = networks.swapped
    with_template = list(SwapTalk(networks, OfPhotos()).frames(**{**job, "target": template.path}))
    assert networks.swapped == swapped
    assert len(without) >= 10
    assert_same_frames(with_template, without)


@pytest.mark.parametrize(
    "settings",
    [
        {"strength": 0.5},
        {"shape": 0.0},
        {"source_face": "largest"},
        {"order": "sync-first"},
        {"lips": "composite"},
        {"lips": "composite", "order": "sync-first"},
        {"source": "other"},
        {"source": "two"},
    ],
)
def test_what_is_not_stored_is_made_as_ever(
    maker: SwapTalk,
    networks: PoolingNetworks,
    template: Template,
    job: dict,
    photo: Path,
    second_photo: Path,
    settings: dict,
) -> None:
    sources = {"other": photo, "two": (job["source"], second_photo)}
    if "source" in settings:
        settings = {"source": sources[settings["source"]]}
    job = {**job, **settings}
    without, swapped = list(maker.frames(**job)), networks.swapped
    assert_same_frames(list(maker.frames(**{**job, "target": template.path})), without)
    assert networks.swapped > swapped


def test_without_a_source_the_target_keeps_its_face(
    maker: SwapTalk, template: Template, job: dict
) -> None:
    assert_same(maker, {**job, "source": ()}, template.path)


def test_photos_count_by_content_and_order(
    maker: SwapTalk, networks: PoolingNetworks, job: dict, second_photo: Path, tmp_path: Path
) -> None:
    photos = (job["source"], second_photo)
    path = tmp_path / "T.swaptalk"
    template = maker.build_template(job["target"], path, source=photos, strength=0.8)
    assert template.header.swap is not None
    assert template.header.swap.photos == [describe_file(path).sha256 for path in photos]
    copies = tuple(
        Path(shutil.copy(path, tmp_path / f"copy{k}{path.suffix}")) for k, path in enumerate(photos)
    )
    swapped = networks.swapped
    for source, makes in ((copies, False), (photos[::-1], True)):
        list(maker.frames(**{**job, "source": source, "strength": 0.8, "target": template.path}))
        assert (networks.swapped > swapped) == makes


def test_another_engine_or_version_makes_its_own(
    maker: SwapTalk,
    networks: PoolingNetworks,
    template: Template,
    job: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = edited(
        template, tmp_path / "older.swaptalk", lambda header, members: header.update(software="0.0")
    )
    swapped = networks.swapped
    list(maker.frames(**{**job, "target": older}))
    assert networks.swapped > swapped
    monkeypatch.setattr(type(networks), "numerics", "another")
    swapped = networks.swapped
    list(maker.frames(**{**job, "target": template.path}))
    assert networks.swapped > swapped


def test_the_beginning_of_a_long_scene_uses_it_too(
    maker: SwapTalk,
    networks: PoolingNetworks,
    make_clip,
    make_wav,
    job: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A shorter span than five seconds, to need fewer frames; restored mouths would double the time.
    for module in ("result", "reference"):
        monkeypatch.setattr(f"swaptalk.pipeline.analysis.{module}.SCENE_START", SPAN)
    job = {
        **job,
        "target": make_clip(frames=FRAMES, name="long.mp4"),
        "audio": make_wav((FRAMES - 5) / 25),
        "restoration": False,
    }
    template = maker.build_template(job["target"], tmp_path / "T.swaptalk", source=job["source"])
    without, swapped = list(maker.frames(**job)), networks.swapped
    assert_same_frames(list(maker.frames(**{**job, "target": template.path})), without)
    # The last ones, whose smoothing is another, and the few before them whose mesh it reaches.
    assert 0 < networks.swapped - swapped < 45
    short = {**job, "audio": make_wav(0.5, "short.wav")}  # its shape is another
    assert_same(maker, short, template.path)


def test_a_target_that_was_known_otherwise_is_swapped_anew(
    maker: SwapTalk, networks: PoolingNetworks, template: Template, job: dict, tmp_path: Path
) -> None:
    path = edited(
        template,
        tmp_path / "known.swaptalk",
        lambda header, members: header["swap"].update(samples="0" * 16),
    )
    without, swapped = list(maker.frames(**job)), networks.swapped
    assert_same_frames(list(maker.frames(**{**job, "target": path})), without)
    assert networks.swapped > swapped


def test_another_face_is_swapped_on_the_way(
    maker: SwapTalk, two_people: Path, photo: Path, tmp_path: Path
) -> None:
    maker.build_template(two_people, tmp_path / "T.swaptalk", face="left", source=photo)
    for face in ("left", "right", "1", "2"):
        assert_same(
            maker, {"source": photo, "face": face, "target": two_people}, tmp_path / "T.swaptalk"
        )


def test_live_frames_come_from_it(
    maker: SwapTalk, networks: PoolingNetworks, template: Template, job: dict, voice
) -> None:
    plain = maker.build_template(job["target"], template.path.with_name("plain.swaptalk"))
    chunks = np.split(voice(0.5), 10)
    without = list(maker.stream(chunks, target=plain.path, source=job["source"]))
    live = list(
        SwapTalk(networks, OfPhotos()).stream(chunks, target=template.path, source=job["source"])
    )
    assert len(live) == 13
    assert_same_frames(live, without)


def test_what_is_recorded_is_the_same(
    maker: SwapTalk, networks: PoolingNetworks, template: Template, job: dict, tmp_path: Path
) -> None:
    manifests, seen = [], []
    for name, engine, target in (
        ("a", maker, job["target"]),
        ("b", SwapTalk(networks, OfPhotos()), template.path),
    ):
        output = tmp_path / f"{name}.mp4"
        report = engine.generate(**{**job, "target": target}, output=output)
        assert report is not None
        reading = read_manifest(output)
        assert reading is not None
        own = {
            label: said
            for label, said in reading.assertions.items()
            if label.startswith("swaptalk.")
        }
        manifests.append(
            (report.watermark, reading.ingredients, reading.source_types, reading.actions, own)
        )
        with VideoReader(output) as video:
            seen.append(list(video.frames()))
    assert (
        manifests[0] == manifests[1]
        and [one.title for one in manifests[0][1]][1] == job["source"].name
    )
    assert all(np.array_equal(a, b) for a, b in zip(*seen, strict=True))


def test_the_real_networks_agree_bit_by_bit(
    analyser: FaceAnalyser,
    make_clip,
    make_wav,
    other_photo: Path,
    tmp_path: Path,
) -> None:
    networks = ModelBundle.from_pretrained()
    maker = SwapTalk(networks, analyser)
    job = {
        "source": other_photo,
        "target": make_clip(frames=10, faceless=range(6, 8)),
        "audio": make_wav(0.5),
        "lips": "latent",
    }
    for strength in (1.0, 0.7):
        job["strength"] = strength
        path = maker.build_template(
            job["target"], tmp_path / "T.swaptalk", source=other_photo, strength=strength
        ).path
        without = list(maker.frames(**job))
        with pytest.MonkeyPatch.context() as patch:
            for name in ("encode", "identity", "swap"):
                patch.setattr(ModelBundle, name, lambda *_: pytest.fail("a network was used"))
            with_template = list(maker.frames(**{**job, "target": path}))
        assert len(without) == 13
        assert_same_frames(with_template, without)


def test_a_source_is_checked_before_anything_is_analysed(
    maker: SwapTalk, template: Template, job: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = template.path.read_bytes()
    write_image(tmp_path / "grey.png", np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(InputError, match="grey.png: no face was found in it"):
        maker.build_template(job["target"], template.path, source=tmp_path / "grey.png")
    with pytest.raises(InputError, match="source must be a photo"):
        maker.build_template(job["target"], template.path, source=job["target"])
    monkeypatch.setattr("swaptalk.pipeline.render.marker.reserves_ai_use", lambda reading: True)
    with pytest.raises(InputError, match="must not be used by AI; .* --consent"):
        maker.build_template(job["target"], template.path, source=job["source"])
    assert template.path.read_bytes() == before and not list(tmp_path.glob("*.part"))
    maker.build_template(job["target"], template.path, source=job["source"], consent="They agreed.")
    maker.build_template(job["target"], template.path)  # without a source there is nobody to ask


def test_a_photo_that_changes_meanwhile_is_noticed(
    analyser: FaceAnalyser, networks: PoolingNetworks, job: dict, photo: Path, tmp_path: Path
) -> None:
    mine = Path(shutil.copy(job["source"], tmp_path / "mine.png"))

    class Replacing(Progress):
        def end(self) -> None:
            shutil.copy(photo, mine)

    with pytest.raises(InputError, match="mine.png: changed while the job was reading it"):
        SwapTalk(networks, analyser, Replacing()).build_template(
            job["target"], tmp_path / "T.swaptalk", source=mine
        )
    assert not list(tmp_path.glob("T.*"))


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("other members", lambda header, members: header.update(swap=None)),
        (
            "other members",
            lambda header, members: (
                members.pop("swapped.bin") and header["members"].pop("swapped.bin")
            ),
        ),
        ("other scenes", lambda header, members: header["swap"]["shapes"].append("0" * 16)),
        ("out of range", lambda header, members: header["swap"].update(strength=7)),
        ("out of range", lambda header, members: header["swap"]["shapes"].__setitem__(0, "x")),
        ("out of range", lambda header, members: header["swap"].update(samples="x")),
        ("checksum", lambda header, members: header["swap"].update(photos=["../photo"])),
        (
            "no type of swapped faces",
            lambda header, members: (
                members.update(
                    {"swapped.bin": b'{"shape": [3, 16, 16], "dtype": "|O8"}'.ljust(128)}
                )
                or resummed(header, members)
            ),
        ),
    ],
)
def test_forged_swaps_are_refused_in_one_line(
    maker: SwapTalk, template: Template, job: dict, tmp_path: Path, what: str, change
) -> None:
    path = edited(template, tmp_path / "forged.swaptalk", change)
    with pytest.raises(InputError, match=f"forged.swaptalk: .*{what}"):
        next(maker.frames(**{**job, "target": path}))


def test_a_damaged_record_is_made_anew(
    maker: SwapTalk, networks: PoolingNetworks, template: Template, job: dict, tmp_path: Path
) -> None:
    def damage(header: dict, members: dict) -> None:
        content = bytearray(members["swapped.bin"])
        content[128 + 4 + 10] ^= 1
        members["swapped.bin"] = bytes(content)

    path = edited(template, tmp_path / "damaged.swaptalk", damage)
    with pytest.raises(InputError, match=r"checksum of swapped.bin is wrong"):
        Template.open(path).verify()
    without, swapped = list(maker.frames(**job)), networks.swapped
    assert_same_frames(list(maker.frames(**{**job, "target": path})), without)
    assert networks.swapped > swapped


def test_a_template_that_is_replaced_meanwhile_shows_nobody_else(
    maker: SwapTalk, template: Template, job: dict, photo: Path
) -> None:
    maker.build_template(job["target"], template.path, source=photo)
    with pytest.raises(InputError, match="was replaced while the job began; start the job again"):
        template.stored_swaps()


def test_swapped_faces_are_kept_in_half_precision(tmp_path: Path) -> None:
    faces = np.random.default_rng(1).normal(size=(6, 3, 4, 4)).astype(np.float16)
    store = SwapStore(tmp_path / "swapped.bin")
    for frame in (0, 1, 2, 4, 5):
        store.put(frame, faces[frame])
    store.close()
    assert (tmp_path / "swapped.bin").stat().st_size == 128 + 6 * (4 + 2 * 48)
    store = SwapStore(tmp_path / "swapped.bin")
    for frame in range(6):
        found = store.latents(frame, (3, 4, 4))
        assert found is None if frame == 3 else np.array_equal(found, faces[frame])
    assert store.latents(0, (2, 4, 4)) is None  # of other networks
    store.close()
