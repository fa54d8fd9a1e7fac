import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.evaluation.inputs import write_wav
from swaptalk.evaluation.protocols import (
    Clip,
    Photo,
    Skipped,
    draw_pairs,
    find_clips,
    find_photos,
    pair_seconds,
    photos_from_clips,
)
from swaptalk.media.image import write_image
from swaptalk.media.mux import AudioSource, mux
from swaptalk.media.video_writer import VideoWriter


def make_clip(path: Path, seconds: float = 2.4, sound: bool = True) -> Path:
    """A small grey clip with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    silent = path.with_name(path.stem + ".silent.part.mp4")
    with VideoWriter(silent, 64, 48, 25) as writer:
        for index in range(round(seconds * 25)):
            writer.write(np.full((48, 64, 3), 60 + index % 100, np.uint8))
    if not sound:
        return silent.rename(path)
    wave = path.with_name(path.stem + ".part.wav")
    time = np.arange(round(seconds * 16_000)) / 16_000
    write_wav(wave, (0.2 * np.sin(2 * np.pi * 220 * time)).astype(np.float32), len(time))
    mux([silent], AudioSource(wave), path, 25)
    silent.unlink()
    wave.unlink()
    return path


def test_hdtf_names_tell_people_apart(tmp_path: Path) -> None:
    for name in (
        "RD_Radio11_001_000_0_10",
        "RD_Radio11_000_018_180_195",
        "WDA_BarackObama_000",
        "portrait",
    ):
        make_clip(tmp_path / f"{name}.mp4")
    clips = {clip.name: clip for clip in find_clips(tmp_path, Skipped())}
    assert (
        clips["RD_Radio11_001_000_0_10"].person
        == clips["RD_Radio11_000_018_180_195"].person
        == "RD_Radio11"
    )
    assert clips["WDA_BarackObama_000"].person == "WDA_BarackObama"
    assert clips["portrait"].person == "portrait"
    assert clips["portrait"].seconds == pytest.approx(2.4, abs=0.05)


def test_only_the_test_split_of_an_index_is_used(tmp_path: Path) -> None:
    rows = [
        ("a", "real", "1", "test"),
        ("b", "real", "2", "train"),
        ("c", "generated", "1", "test"),
        ("d", "real", "3", "test"),
    ]
    with (tmp_path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "kind", "group", "split"), *rows])
    for name in "abc":
        make_clip(tmp_path / "clips" / f"{name}.mp4")
    skipped = Skipped()
    clips = find_clips(tmp_path, skipped)
    assert [(clip.name, clip.person) for clip in clips] == [("a", "1")]
    assert [name for name, _ in skipped.items] == ["d"]  # in the index, not in the folder
    assert clips[0].language == ""


def test_an_index_may_name_the_languages(tmp_path: Path) -> None:
    with (tmp_path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("id", "kind", "group", "split", "language"),
                ("a", "real", "1", "test", "Arabic"),
                ("b", "real", "2", "test", ""),
            ]
        )
    for name in "ab":
        make_clip(tmp_path / "clips" / f"{name}.mp4")
    assert [clip.language for clip in find_clips(tmp_path, Skipped())] == ["Arabic", ""]


def test_unusable_clips_are_named(tmp_path: Path) -> None:
    make_clip(tmp_path / "good.mp4")
    make_clip(tmp_path / "short.mp4", seconds=1.0)
    make_clip(tmp_path / "mute.mp4", sound=False)
    (tmp_path / "text.mp4").write_text("no video")
    skipped = Skipped()
    assert [clip.name for clip in find_clips(tmp_path, skipped)] == ["good"]
    reasons = dict(skipped.items)
    assert "less than 2 s" in reasons["short"]
    assert reasons["mute"] == "has no sound"
    assert set(reasons) == {"short", "mute", "text"}
    (tmp_path / "good.mp4").unlink()
    with pytest.raises(InputError, match="no usable test clip is left"):
        find_clips(tmp_path, Skipped())
    with pytest.raises(InputError, match="no such folder"):
        find_clips(tmp_path / "missing", Skipped())


def test_photos_of_test_people_come_out_of_the_shards(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    write_image(picture, np.full((20, 20, 3), 90, np.uint8))
    with tarfile.open(tmp_path / "faces-000.tar", "w") as archive:
        for name in ("1.png", "2.png", "3.png", "4.png", "5.png"):
            archive.add(picture, name)
    picture.unlink()
    rows = [
        ("1.png", "us_congress_portraits", "", "test"),
        ("2.png", "celeba_test_crops", "p7", "test"),
        ("3.png", "celeba_test_crops", "p7", "test"),
        ("4.png", "celeba_tight256", "", "test"),
        ("5.png", "us_congress_portraits", "", "train"),
    ]
    with (tmp_path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("shard", "name", "set", "person", "split"),
                *(("faces-000.tar", *row) for row in rows),
            ]
        )
    photos = find_photos(tmp_path, tmp_path / "out", Skipped())
    assert [photo.name for photo in photos] == ["faces-000-1", "faces-000-2"]
    assert all(photo.path.parent == tmp_path / "out" for photo in photos)


@pytest.mark.parametrize(("person", "found"), [("anna", ["faces-000-1"]), ("", [])])
def test_photos_of_any_set_serve_if_their_people_are_named(
    tmp_path: Path, person: str, found: list[str]
) -> None:
    write_image(tmp_path / "1.png", np.full((20, 20, 3), 90, np.uint8))
    with tarfile.open(tmp_path / "faces-000.tar", "w") as archive:
        archive.add(tmp_path / "1.png", "1.png")
    (tmp_path / "index.csv").write_text(
        f"shard,name,set,person,split\nfaces-000.tar,1.png,holiday,{person},test\n"
    )
    if not found:
        with pytest.raises(InputError, match="names its person"):
            find_photos(tmp_path, tmp_path / "out", Skipped())
        return
    assert [photo.name for photo in find_photos(tmp_path, tmp_path / "out", Skipped())] == found


def test_a_folder_of_photos_and_its_bad_files(tmp_path: Path) -> None:
    write_image(tmp_path / "anna.png", np.full((20, 20, 3), 90, np.uint8))
    (tmp_path / "broken.png").write_bytes((tmp_path / "anna.png").read_bytes()[:40])
    (tmp_path / "notes.txt").write_text("x")
    skipped = Skipped()
    assert [photo.name for photo in find_photos(tmp_path, tmp_path / "out", skipped)] == ["anna"]
    assert {name for name, _ in skipped.items} <= {"broken"}


def test_photos_from_clips_are_one_a_person(tmp_path: Path) -> None:
    for name in ("WDA_X_000", "WDA_X_001", "WDA_Y_000"):
        make_clip(tmp_path / f"{name}.mp4")
    photos = photos_from_clips(find_clips(tmp_path, Skipped()), tmp_path / "photos", Skipped())
    assert [photo.person for photo in photos] == ["WDA_X", "WDA_Y"]
    assert all(photo.path.is_file() for photo in photos)


CLIPS = [Clip(f"c{i}", f"person{i // 2}", Path(f"c{i}.mp4"), 4.0 + i) for i in range(8)]
PHOTOS = [Photo(f"p{i}", f"person{i}", Path(f"p{i}.png")) for i in range(6)]


@pytest.mark.parametrize("protocol", ["self", "cross", "paused"])
def test_pairs_are_the_same_for_the_same_seed_only(protocol) -> None:
    first = draw_pairs(protocol, CLIPS, PHOTOS, seed=1)
    assert first == draw_pairs(protocol, CLIPS[::-1], PHOTOS[::-1], seed=1)
    assert first != draw_pairs(protocol, CLIPS, PHOTOS, seed=2)
    assert len(first) == len({pair.name for pair in first}) == 8
    assert len(draw_pairs(protocol, CLIPS, PHOTOS, limit=3)) == 3


def test_source_target_and_voice_are_other_people() -> None:
    for seed in range(5):
        for pair in draw_pairs("cross", CLIPS, PHOTOS, seed):
            assert pair.source.person != pair.target.person != pair.audio.person
        own = draw_pairs("self", CLIPS, PHOTOS, seed)
        assert all(pair.audio == pair.target != pair.source for pair in own)
        # Six photos for eight clips: none is used three times while another is unused.
        uses = [sum(pair.source == photo for pair in own) for photo in PHOTOS]
        assert max(uses) <= 2


def test_a_voice_lasts_as_long_as_the_clip_where_there_is_one() -> None:
    for pair in draw_pairs("cross", CLIPS, PHOTOS):
        assert pair.audio.seconds >= min(pair.target.seconds, 10.0) or pair.audio == CLIPS[5]
        assert pair_seconds(pair) <= 10.0


def test_impossible_draws_are_refused() -> None:
    with pytest.raises(InputError, match="another person"):
        draw_pairs("self", CLIPS[:1], [Photo("p", "person0", Path("p.png"))])
    with pytest.raises(InputError, match="no other person speaks"):
        draw_pairs("cross", CLIPS[:2], PHOTOS)
