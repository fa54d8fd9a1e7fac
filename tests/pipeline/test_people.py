"""Several people in one job: who gets which face and whose mouth moves, measured per person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from swaptalk.errors import InputError
from swaptalk.faces.detection.analyser import FaceAnalyser
from swaptalk.faces.geometry.topology import mouth_openness
from swaptalk.inference.bundle import ModelBundle
from swaptalk.media.audio import read_audio
from swaptalk.media.image import read_image, write_image
from swaptalk.media.video_reader import VideoReader
from swaptalk.media.video_writer import VideoWriter
from swaptalk.pipeline.api import SwapTalk
from swaptalk.pipeline.options import GenerateOptions
from swaptalk.pipeline.people import Person, Turn, parse_person, read_turns

from .conftest import PoolingNetworks

DEMO = Path(__file__).parents[2] / "demo"
SIDE = 192
LEFT, RIGHT = slice(0, SIDE), slice(SIDE, 2 * SIDE)


@pytest.fixture
def couple(tmp_path: Path, photo: Path, other_photo: Path) -> Callable[..., Path]:
    """Factory of clips: the portrait on the left, the astronaut on the right; they drift a
    little."""
    heads = read_image(photo)[0:420, 40:460], read_image(other_photo)[0:260, 90:350]
    pictures = [cv2.resize(head, (SIDE + 8, SIDE + 8)).astype(np.uint8) for head in heads]

    def make(frames: int = 10) -> Path:
        path = tmp_path / "couple.mp4"
        with VideoWriter(path, 2 * SIDE, SIDE, 25, quality=10) as writer:
            for index in range(frames):
                x, y = 4 + round(3 * np.sin(index / 4)), 4 + round(3 * np.cos(index / 5))
                shown = [picture[y : y + SIDE, x : x + SIDE] for picture in pictures]
                writer.write(np.concatenate(shown, axis=1))
        return path

    return make


def painted(tmp_path: Path, photo: Path, name: str, tint: tuple[int, int, int]) -> Path:
    """A photo in another tint: with the stand-in networks the face takes its mean colour."""
    path = tmp_path / name
    tinted = read_image(photo).astype(np.float32) * (np.array(tint) / 255)
    write_image(path, np.clip(tinted, 0, 255).astype(np.uint8))
    return path


def read(path: Path) -> NDArray[np.float32]:
    with VideoReader(path) as reader:
        return np.stack(list(reader.frames())).astype(np.float32)


def face_change(made: NDArray[np.float32], shown: NDArray[np.float32], side: slice) -> float:
    middle = np.abs(made - shown)[:, :, side][
        :, SIDE // 3 : 2 * SIDE // 3, SIDE // 3 : 2 * SIDE // 3
    ]
    return float(middle.mean())


def test_each_person_gets_their_own_photo_and_others_stay(
    maker: SwapTalk, couple, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    target = couple(6)
    warm = painted(tmp_path, other_photo, "warm.png", (255, 150, 150))
    cold = painted(tmp_path, photo, "cold.png", (150, 150, 255))
    shown = read(target)

    def job(*people: str) -> NDArray[np.float32]:
        report = maker.generate(target=target, person=people, output=tmp_path / "out.mp4")
        assert report is not None and report.changed == 6
        assert [one["changed"] for one in report.people] == [6] * len(people)
        return read(tmp_path / "out.mp4")

    both = job(f"face=left,source={warm}", f"face=right,source={cold}")
    only = job(f"face=left,source={warm}")
    assert face_change(only, shown, LEFT) > 12 and face_change(only, shown, RIGHT) < 4
    assert face_change(both, shown, LEFT) > 12 and face_change(both, shown, RIGHT) > 12
    # The left face is the same whether the other is replaced or not.
    assert face_change(both, only, LEFT) < 4
    swapped = job(f"face=left,source={cold}", f"face=right,source={warm}")
    assert face_change(swapped, both, LEFT) > 8 and face_change(swapped, both, RIGHT) > 8


def lower(made: NDArray[np.float32], side: slice) -> NDArray[np.float32]:
    """Lightness of the lower face of a person in each frame: the stand-in mouth's opening."""
    part = made[:, SIDE // 2 : 3 * SIDE // 4, side][:, :, SIDE // 3 : 2 * SIDE // 3]
    return np.asarray(part.mean(axis=(1, 2, 3)))


def test_each_mouth_follows_its_own_recording_and_both_are_heard(
    maker: SwapTalk, couple, make_wav, voice, tmp_path: Path
) -> None:
    silence = np.zeros(9600, np.float32)
    first = make_wav(name="a.wav", samples=np.concatenate([voice(0.6), silence, silence]))
    second = make_wav(name="b.wav", samples=np.concatenate([silence, silence, voice(0.6)]))
    output = tmp_path / "out.mp4"
    maker.generate(
        target=couple(),
        person=[f"face=left,audio={first}", f"face=right,audio={second}"],
        output=output,
        lips="latent",
    )
    made = read(output)
    assert len(made) == 45
    left, right = lower(made, LEFT), lower(made, RIGHT)
    assert left[2:12].mean() > left[22:44].mean() + 5
    assert right[34:44].mean() > right[2:22].mean() + 5
    sound = read_audio(output, 16000)
    loud = [np.abs(part).mean() for part in (sound[:9600], sound[9600:19200], sound[19200:])]
    assert loud[0] > 10 * loud[1] and loud[2] > 10 * loud[1]


class CountingNetworks(PoolingNetworks):
    """Notes the size of every batch that the encoder gets."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        return super().encode(crops)


def batches(analyser: FaceAnalyser, target: Path, *people: str, lips: str = "latent") -> list[int]:
    """How many faces at a time went through the encoder."""
    networks = CountingNetworks()
    maker = SwapTalk(networks, analyser, unmarked=True)
    assert len(list(maker.frames(target=target, person=people, lips=lips))) == 6
    return networks.batches


def test_swapped_faces_of_all_people_are_encoded_together(
    analyser: FaceAnalyser, couple, photo: Path, other_photo: Path
) -> None:
    people = f"face=left,source={other_photo}", f"face=right,source={photo}"
    # A photo of each, then four frames of both and two.
    assert sorted(batches(analyser, couple(6), *people)) == [1, 1, 4, 8]


# Of the latter the first pass has encoded a frame of each, as a reference.
@pytest.mark.parametrize(("lips", "first"), [("composite", 8), ("latent", 6)])
def test_speaking_faces_of_all_people_are_encoded_together(
    analyser: FaceAnalyser, couple, make_wav, lips: str, first: int
) -> None:
    words = make_wav(0.24)
    people = f"face=left,audio={words}", f"face=right,audio={words}"
    found = batches(analyser, couple(6), *people, lips=lips)
    assert [size for size in found if size > 1] == [first, 4]


def test_several_people_over_a_template(
    unmarked: SwapTalk,
    couple,
    photo: Path,
    other_photo: Path,
    make_wav,
    voice,
    tmp_path: Path,
) -> None:
    target, output = couple(), tmp_path / "out.mp4"
    template = unmarked.build_template(target, tmp_path / "couple.swaptalk", face="right").path
    silence = np.zeros(8000, np.float32)
    first = make_wav(name="a.wav", samples=np.concatenate([voice(0.5), silence]))
    second = make_wav(name="b.wav", samples=np.concatenate([silence, voice(0.5)]))
    warm = painted(tmp_path, other_photo, "warm.png", (255, 150, 150))
    cold = painted(tmp_path, photo, "cold.png", (150, 150, 255))
    people = [f"face=left,source={warm},audio={first}", f"face=2,source={cold},audio={second}"]
    frames = {
        name: np.stack(list(unmarked.frames(target=path, person=people, output=output)))
        for name, path in (("video", target), ("template", template))
    }
    np.testing.assert_array_equal(frames["video"], frames["template"])
    made = frames["template"].astype(np.float32)
    assert len(made) == 25
    left, right = lower(made, LEFT), lower(made, RIGHT)
    assert left[2:11].mean() > left[15:].mean() + 5
    assert right[15:24].mean() > right[2:11].mean() + 5
    shown = read(target)
    assert min(face_change(made[:10], shown, side) for side in (LEFT, RIGHT)) > 8


def test_who_listens_is_still(analyser: FaceAnalyser, couple, make_wav, tmp_path: Path) -> None:
    """With the real networks and real speech, over a template."""
    maker = SwapTalk(ModelBundle.from_pretrained(), analyser)
    template = maker.build_template(couple(), tmp_path / "couple.swaptalk").path
    words = read_audio(DEMO / "speech.opus")[4800:16800]
    silence = np.zeros(12000, np.float32)
    first = make_wav(name="a.wav", samples=np.concatenate([words, silence]))
    second = make_wav(name="b.wav", samples=np.concatenate([silence, words]))
    photo = DEMO / "source.jpg"
    people = [
        f"face=left,source={photo},audio={first}",
        f"face=right,source={photo},audio={second}",
    ]
    openings = np.array(
        [
            [mouth_openness(face.points) for face in analyser.faces(frame)]
            for frame in maker.frames(target=template, person=people)
        ]
    )
    early, late = np.ptp(openings[:13], axis=0), np.ptp(openings[18:], axis=0)
    assert early[0] > 0.1 and late[1] > 0.1
    assert early[1] < 0.2 * early[0] and late[0] < 0.2 * late[1]


def test_turns_move_the_mouth_of_who_speaks(
    maker: SwapTalk, couple, make_wav, tmp_path: Path
) -> None:
    turns = tmp_path / "turns.csv"
    turns.write_text("start,end,person\n0,0.8,anna\n0.8,1.6,right\n")
    output = tmp_path / "out.mp4"
    maker.generate(
        target=couple(),
        audio=make_wav(1.6),
        turns=turns,
        person=["name=anna,face=left", "face=right"],
        output=output,
        lips="latent",
    )
    made = read(output)
    left, right = lower(made, LEFT), lower(made, RIGHT)
    assert left[3:16].mean() > left[25:39].mean() + 5
    assert right[25:39].mean() > right[3:16].mean() + 5


def test_a_person_is_found_by_a_photo(
    maker: SwapTalk, couple, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    target = couple(4)
    shown = read(target)
    warm = painted(tmp_path, photo, "warm.png", (255, 120, 120))
    for like, changed, kept in ((photo, LEFT, RIGHT), (other_photo, RIGHT, LEFT)):
        maker.generate(target=target, face=f"like:{like}", source=warm, output=tmp_path / "out.mp4")
        made = read(tmp_path / "out.mp4")
        assert face_change(made, shown, changed) > 8 > face_change(made, shown, kept)


def test_faces_that_are_not_there_or_the_same_are_refused_before_the_rendering(
    maker: SwapTalk, couple, photo: Path, tmp_path: Path
) -> None:
    target, output = couple(3), tmp_path / "out.mp4"
    for people, problem in (
        ([f"face=left,source={photo}", f"face=5,source={photo}"], r"face=5.*there is no face 5"),
        ([f"face=left,source={photo}", f"face=1,source={photo}"], r"face=1.*is that of .face=left"),
        (["face=like:nobody.png,source=a.png"], r"face=like:nobody.png.*nobody.png: no such file"),
        ([f"face=left,source={target}"], r"face=left.*couple.mp4: is no photo"),
    ):
        with pytest.raises(InputError, match=problem):
            maker.generate(target=target, person=people, output=output)
    assert not output.exists() and not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"person": ["face=left"]}, 'person "face=left": changes nothing'),
        ({"person": ["source=a.jpg"]}, "does not say which face"),
        ({"person": ["face=2,photo=a.jpg"]}, "'photo=a.jpg' is none of"),
        ({"person": ["face=2,source=a.jpg"] * 2}, "another entry has the same face"),
        ({"person": ["face=2,source=a.jpg"], "source": "b.jpg"}, "--source beside --person"),
        ({"person": ["face=2,source=a.jpg"], "audio": "b.wav"}, "but no --turns"),
        ({"person": ["face=2,audio=a.wav"], "turns": "t.csv", "audio": "b.wav"}, "has a recording"),
        ({"turns": "t.csv", "audio": "b.wav"}, "--turns without --person"),
        ({"person": ["face=2,source=a.jpg,strength=2"]}, "2 is no number from 0 to 1"),
    ],
)
def test_wrong_entries_are_refused(settings: dict, problem: str) -> None:
    options = GenerateOptions(target="video.mp4", output="out.mp4", **settings)
    with pytest.raises(InputError, match=problem):
        options.check_values()


def test_entries_come_back_as_they_were_written() -> None:
    text = 'name=anna,face=like:x y.jpg,"source=a,b.jpg",source=c.jpg,audio=w.wav,strength=0.5'
    person = parse_person(text)
    assert person.source == (Path("a,b.jpg"), Path("c.jpg")) and person.called == "anna"
    assert parse_person(person.entry) == person
    inside = person.inside(Path("/t"))
    assert inside.face == "like:/t/x y.jpg" and inside.audio == Path("/t/w.wav")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("0,2,left\n1.5,3,right\n", "line 3: right speaks from 1.5 s on, while line 2"),
        ("0,2,left\n2,3,bob\n", "line 3: nobody is called 'bob'"),
        ("2,1,left\n", "line 2: it ends before it starts"),
        ("a,1,left\n", "line 2: start and end are no seconds"),
    ],
)
def test_wrong_turns_name_the_line(tmp_path: Path, rows: str, problem: str) -> None:
    people = (Person("left"), Person("right"))
    path = tmp_path / "turns.csv"
    path.write_text(f"start,end,person\n{rows}")
    with pytest.raises(InputError, match=problem):
        read_turns(path, people)


@pytest.mark.parametrize(
    "text",
    [
        "start,end,person\n1.5,2,right\n0,1,left\n",
        "Start;End;Person;note\n0;1;left;\n\n1,5;2;right;laughs\n",  # as spreadsheets write it
        "sep=\t\nSTART\tend\tperson \n0\t1\t left\n1.5\t2\tright\n",
    ],
)
def test_turns_of_all_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    people = (Person("left"), Person("right"))
    path = tmp_path / "turns.csv"
    path.write_text(text)
    assert read_turns(path, people) == (Turn(0, 1, "left"), Turn(1.5, 2, "right"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("start,end,person\n", "has no turns"),
        ("from,to,who\n0,1,left\n", "is no table of turns"),
        ("start,end,person\n0,1\n", "row 2 has another number of fields"),
        ("\n", "has no header"),
    ],
)
def test_other_tables_are_no_turns(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "turns.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_turns(path, (Person("left"),))
