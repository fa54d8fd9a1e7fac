"""Templates: the same frames as without, and nothing believed that a file says."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.image import read_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.template.preview import template_sheet
from swaptalk.pipeline.template.template import Template


@pytest.fixture
def job(make_clip, make_wav, other_photo: Path) -> dict:
    return {
        "source": other_photo,
        "target": make_clip(frames=16, faceless=range(10, 12)),
        "audio": make_wav(0.8),
    }


@pytest.fixture(scope="module")
def built() -> list[bytes]:
    """The template of `job`, once it was built."""
    return []


@pytest.fixture
def template(maker: SwapTalk, job: dict, tmp_path: Path, built: list[bytes]) -> Template:
    """The target is the same in all tests, and so is its template, which finds it by name."""
    path = tmp_path / "T.swaptalk"
    if not built:
        maker.build_template(job["target"], path)
        built.append(path.read_bytes())
    path.write_bytes(built[0])
    return Template.open(path)


def edited(template: Template, path: Path, change) -> Path:
    """A copy of the template whose members, {name: bytes}, were changed."""
    with zipfile.ZipFile(template.path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members.pop("template.json"))
    change(header, members)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("template.json", json.dumps(header))
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"length": "shortest"},
        {"audio": "short"},
        {"audio": None},
        {"source": ()},
        {"source": (), "lips": "latent"},
        {"source": (), "lips": "latent", "restoration": False},
        {"lips": "latent"},
        {"extend": "freeze"},
    ],
)
def test_the_frames_are_the_same_bit_by_bit(
    maker: SwapTalk, networks, template: Template, job: dict, make_wav, settings: dict
) -> None:
    if (
        settings.get("audio") == "short"
    ):  # the smoothed alignment of the last frames is another than in the whole
        settings = {"audio": make_wav(0.24, "short.wav")}
    job = {**job, **settings}
    without = list(maker.frames(**job))
    encoded = networks.encoded
    with_template = list(maker.frames(**{**job, "target": template.path}))
    assert len(with_template) == len(without) >= 6
    for a, b in zip(with_template, without, strict=True):
        assert np.array_equal(a, b)
    # Otherwise it is composites that are encoded.
    if not job["source"] and job.get("lips") == "latent":
        restored = job.get("restoration", True)  # an open mouth is made of a closed one
        assert networks.encoded == encoded + restored


def test_the_output_is_the_same_and_an_interrupted_job_goes_on(
    maker: SwapTalk, template: Template, job: dict, tmp_path: Path
) -> None:
    maker.generate(**job, output=tmp_path / "without.mp4")
    report = maker.generate(**{**job, "target": template.path}, output=tmp_path / "with.mp4")
    assert report is not None and report.passed_through == {"no face": 3}
    assert "find faces" not in report.stages and "template" in report.stages
    with VideoReader(tmp_path / "without.mp4") as a, VideoReader(tmp_path / "with.mp4") as b:
        for x, y in zip(a.frames(), b.frames(), strict=True):
            assert np.array_equal(x, y)


def test_part_rate_and_size_are_the_templates(maker: SwapTalk, job: dict, tmp_path: Path) -> None:
    chosen = {"start": 0.2, "end": 0.6, "fps": "12.5", "resolution": "128"}
    path = tmp_path / "T.swaptalk"
    maker.build_template(job["target"], path, **chosen)
    settings = {**job, "audio": None}
    without = list(maker.frames(**settings, **chosen))
    with_template = list(maker.frames(**{**settings, "target": path}))
    assert len(without) == 5 and without[0].shape == (128, 142, 3)
    assert all(np.array_equal(a, b) for a, b in zip(without, with_template, strict=True))
    assert len(list(maker.frames(**{**settings, "target": path}, **chosen))) == 5  # said again
    for option, other in (("start", 0.1), ("end", 0.5), ("fps", "25"), ("resolution", "144")):
        with pytest.raises(
            InputError, match=f"--{option} {other} differs from the template's.*build another"
        ):
            next(maker.frames(**{**settings, "target": path}, **{option: other}))


def test_another_face_may_be_chosen(
    maker: SwapTalk, two_people: Path, photo: Path, tmp_path: Path
) -> None:
    maker.build_template(two_people, tmp_path / "T.swaptalk", face="left")
    for face in ("left", "right"):
        settings = {"source": photo, "face": face}
        (without,), (with_template,) = (
            list(maker.frames(target=target, **settings))
            for target in (two_people, tmp_path / "T.swaptalk")
        )
        assert np.array_equal(without, with_template)


def test_the_target_travels_along_or_is_found_again(
    maker: SwapTalk, job: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWAPTALK_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "elsewhere").mkdir()
    whole = maker.build_template(
        job["target"], tmp_path / "elsewhere" / "whole.swaptalk", embed=True
    )
    named = maker.build_template(job["target"], tmp_path / "named.swaptalk")
    before = list(maker.frames(**{**job, "target": named.path}))
    content = job["target"].read_bytes()
    job["target"].unlink()
    with pytest.raises(
        InputError, match="target.mp4 is not to be found; put it beside the template, or .* --embed"
    ):
        next(maker.frames(**{**job, "target": named.path}))
    after = list(maker.frames(**{**job, "target": whole.path}))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    copy = whole.target()
    copy.write_bytes(content[:-1] + b"x")  # a damaged cache is noticed
    assert whole.target().read_bytes() == content
    job["target"].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        InputError, match="target.mp4: has changed since the template was made of it; restore it"
    ):
        next(maker.frames(**{**job, "target": named.path}))


def test_other_weights_are_refused(
    maker: SwapTalk, networks, template: Template, job: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(networks), "fingerprint", "others")
    with pytest.raises(InputError, match="T.swaptalk: was made with other weights; make it anew"):
        next(maker.frames(**{**job, "target": template.path}))


def test_every_damaged_byte_is_noticed(
    maker: SwapTalk, template: Template, job: dict, tmp_path: Path
) -> None:
    content = template.path.read_bytes()
    bad = tmp_path / "bad.swaptalk"
    random = np.random.default_rng(3)
    for position in [*random.integers(0, len(content), 12), len(content) - 5]:
        bad.write_bytes(
            content[:position] + bytes([content[position] ^ 0x41]) + content[position + 1 :]
        )
        with pytest.raises(InputError, match=r"bad.swaptalk: .*template"):
            Template.open(bad).verify()
            # A ZIP's own time stamps carry no checksum.
            assert read_names(bad) != read_names(template.path)
            raise InputError("bad.swaptalk: only a template's time stamp", remedy="none")
    for length in (0, 10, len(content) // 2, len(content) - 1):
        bad.write_bytes(content[:length])
        with pytest.raises(InputError):
            Template.open(bad).verify()


def read_names(path: Path) -> list:
    with zipfile.ZipFile(path) as archive:
        return [
            (
                entry.filename,
                entry.date_time,
                entry.extra,
                entry.create_system,
                entry.create_version,
                entry.extract_version,
                entry.external_attr,
                entry.flag_bits,
            )
            for entry in archive.infolist()
        ]


def resummed(header: dict, members: dict) -> None:
    """Checksums as whoever forges a file would write them."""
    import hashlib

    for name, content in members.items():
        header["members"][name] = {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("format 99", lambda header, members: header.update(format=99)),
        ("lacks frames", lambda header, members: header.pop("frames")),
        ("out of range", lambda header, members: header.update(frames=10**12)),
        ("no file name", lambda header, members: header["target"].update(name="../../etc/passwd")),
        (
            "other members",
            lambda header, members: (
                members.update({"run.py": b"print()"}) or resummed(header, members)
            ),
        ),
        ("other size", lambda header, members: members.update({"faces.log": b"short"})),
        ("no int", lambda header, members: header.update(cuts=["1"])),
        (
            "breaks off",
            lambda header, members: (
                members.update({"faces.log": members["faces.log"][:-1]})
                or resummed(header, members)
            ),
        ),
        (
            "landmarks are out of range",
            lambda header, members: (
                members.update(
                    {
                        "faces.log": members["faces.log"][:100]
                        + b"\xff" * 400
                        + members["faces.log"][500:]
                    }
                )
                or resummed(header, members)
            ),
        ),
        (
            "out of order",
            lambda header, members: (
                members.update({"faces.log": members["faces.log"][::-1]})
                or resummed(header, members)
            ),
        ),
        (
            "is no shape of codes",
            lambda header, members: (
                members.update(
                    {
                        "codes.bin": json.dumps({"shape": [1 << 40, 9], "dtype": "|u1"})
                        .encode()
                        .ljust(128)
                    }
                )
                or resummed(header, members)
            ),
        ),
        (
            "no type of codes",
            lambda header, members: (
                members.update(
                    {
                        "codes.bin": json.dumps({"shape": [3, 16, 16], "dtype": "|O8"})
                        .encode()
                        .ljust(128)
                    }
                )
                or resummed(header, members)
            ),
        ),
        (
            "has 15 frames, its target 16",
            lambda header, members: header.update(frames=15, usable_frames=10),
        ),
    ],
)
def test_forged_templates_are_refused_in_one_line(
    maker: SwapTalk, template: Template, job: dict, tmp_path: Path, what: str, change
) -> None:
    path = edited(template, tmp_path / "forged.swaptalk", change)
    with pytest.raises(InputError, match=f"forged.swaptalk: .*{what}"):
        next(maker.frames(**{**job, "target": path}))


def test_what_is_refused_when_building(
    maker: SwapTalk, template: Template, make_clip, tmp_path: Path
) -> None:
    before = template.path.read_bytes()
    with pytest.raises(InputError, match="is a template already"):
        maker.build_template(template.path, tmp_path / "U.swaptalk")
    with pytest.raises(InputError, match="let the name end in .swaptalk"):
        maker.build_template(make_clip(), tmp_path / "U.mp4")
    with pytest.raises(InputError, match="no face that could be replaced"):
        maker.build_template(make_clip(frames=3, faceless=range(3)), template.path)
    assert template.path.read_bytes() == before and not list(tmp_path.glob("*.part"))


def test_preview_shows_frames_and_crops(template: Template) -> None:
    sheet = template_sheet(template)
    assert sheet.shape == (28 + 230 + 256, 4 * 256, 3)
    assert sheet[28 + 230 :].std() > 20


def test_a_photo_can_be_a_template(
    maker: SwapTalk, photo: Path, other_photo: Path, make_wav, tmp_path: Path
) -> None:
    path = maker.build_template(photo, tmp_path / "photo.swaptalk", embed=True).path
    maker.generate(source=other_photo, target=path, output=tmp_path / "with.png")
    maker.generate(source=other_photo, target=photo, output=tmp_path / "without.png")
    assert np.array_equal(read_image(tmp_path / "with.png"), read_image(tmp_path / "without.png"))
    assert len(list(maker.frames(source=other_photo, target=path, audio=make_wav(0.2)))) == 5
