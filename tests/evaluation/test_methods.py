import sys
from pathlib import Path

import numpy as np
import pytest

from swaptalk.errors import InputError, SwapTalkError
from swaptalk.evaluation.cascades import (
    CASCADES,
    LATENT,
    LATENT_SYNC_FIRST,
    RESTORED,
    Cascade,
    made_of_modules,
    sharpen,
)
from swaptalk.evaluation.inputs import PreparedPair, prepare, read_wav
from swaptalk.evaluation.methods import (
    CommandMethod,
    CopyTarget,
    ExternalFolder,
    GroundTruth,
    check_names,
)
from swaptalk.evaluation.protocols import Clip, Pair, Photo
from swaptalk.media.image import write_image
from swaptalk.media.probe import probe
from swaptalk.media.video_reader import VideoReader

from .test_protocols import make_clip


@pytest.fixture
def pair(tmp_path: Path) -> PreparedPair:
    write_image(tmp_path / "anna.png", np.full((20, 20, 3), 90, np.uint8))
    target = Clip("t", "T", make_clip(tmp_path / "t.mp4", 2.4), 2.4)
    audio = Clip("a", "A", make_clip(tmp_path / "a.mp4", 2.0), 2.0)
    return prepare(
        Pair("cross", Photo("anna", "anna", tmp_path / "anna.png"), target, audio),
        tmp_path / "inputs",
    )


def test_prepared_inputs_have_one_length(pair: PreparedPair) -> None:
    assert pair.frames == 50
    with VideoReader(pair.target) as reader:
        assert (len(reader), reader.fps) == (50, 25)
    assert probe(pair.target).audio is not None
    assert len(pair.samples()) == len(read_wav(pair.audio)) == 32_000
    assert pair.pair.name == "anna_t_a"


def test_the_second_half_of_paused_words_is_silent(pair: PreparedPair, tmp_path: Path) -> None:
    whole = pair.pair
    paused = prepare(Pair("paused", whole.source, whole.target, whole.audio), tmp_path / "inputs")
    words, half = pair.samples(), len(pair.samples()) // 2
    assert paused.frames == pair.frames and len(paused.samples()) == len(words)
    assert np.abs(words[half:]).max() > 1000 and not paused.samples()[half:].any()
    assert np.array_equal(paused.samples()[: half - 400], words[: half - 400])
    assert abs(int(paused.samples()[half - 1])) < 50  # no click
    assert np.array_equal(pair.samples(), words)  # the other protocol's file is its own


def test_copy_target_has_the_other_sound(pair: PreparedPair, tmp_path: Path) -> None:
    output = CopyTarget().render(pair, tmp_path / "copy.mp4")
    with VideoReader(output) as copied, VideoReader(pair.target) as original:
        assert len(copied) == len(original)
        assert np.array_equal(next(copied.frames([20])), next(original.frames([20])))


def test_ground_truth_exists_for_the_own_words_only(pair: PreparedPair, tmp_path: Path) -> None:
    with pytest.raises(SwapTalkError, match="no real video"):
        GroundTruth().render(pair, tmp_path / "x.mp4")
    own = Pair("self", pair.pair.source, pair.pair.target, pair.pair.target)
    prepared = PreparedPair(own, pair.source, pair.target, pair.audio, 50, tmp_path)
    assert GroundTruth().render(prepared, tmp_path / "x.mp4") == pair.target


def test_external_results_are_found_by_pair_or_target(pair: PreparedPair, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    method = ExternalFolder("Wav2Lip", folder)
    empty = method.fingerprint
    with pytest.raises(InputError, match="anna_t_a"):
        method.render(pair, tmp_path / "x.mp4")
    (folder / "t.webm").write_bytes(b"video")
    assert method.render(pair, tmp_path / "x.mp4").name == "t.webm"
    (folder / "anna_t_a.mp4").write_bytes(b"video")
    assert method.render(pair, tmp_path / "x.mp4").name == "anna_t_a.mp4"
    assert method.fingerprint != empty


def test_a_command_gets_the_files_and_no_shell(pair: PreparedPair, tmp_path: Path) -> None:
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    method = CommandMethod(
        "Copier", f'{sys.executable} -c "{copy}" {{target}} {{output}} "; touch {tmp_path}/harm"'
    )
    output = method.render(pair, tmp_path / "out with space.mp4")
    assert output.read_bytes() == pair.target.read_bytes()
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("no-such-program-at-all {output}", "not installed"),
        (
            f"{sys.executable} -c \"raise SystemExit('the reason')\" {{output}}",
            "exit code 1 and said: the reason",
        ),
        (f"{sys.executable} -c pass {{output}}", "wrote no video"),
        ("program {video} {output}", "cannot be filled in"),
        ("program {target}", "names no {output}"),
    ],
)
def test_what_goes_wrong_with_a_command_is_said(
    pair: PreparedPair, tmp_path: Path, template: str, said: str
) -> None:
    with pytest.raises(SwapTalkError) as error:
        CommandMethod("Other", template).render(pair, tmp_path / "out.mp4")
    assert said in str(error.value)


class Recorder:
    """An editor that copies and notes what it was asked."""

    fingerprint = "weights-1"

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool, bool]] = []
        self.order = ""

    def edit(
        self,
        target: Path,
        source: Path | None,
        audio: Path | None,
        output: Path,
        order: str = "swap-first",
    ) -> None:
        self.calls.append((target.name, source is not None, audio is not None))
        self.order = order
        output.write_bytes(target.read_bytes())


def test_cascades_run_their_steps_through_pixels(pair: PreparedPair, tmp_path: Path) -> None:
    editor = Recorder()
    rows = {
        row.name: row
        for row in made_of_modules(editor, CASCADES | RESTORED | LATENT | LATENT_SYNC_FIRST)
    }
    assert len({row.fingerprint for row in rows.values()}) == len(rows) == 6
    assert rows["Sync-Swap"].render(pair, tmp_path / "o.mp4") == tmp_path / "o.mp4"
    assert editor.calls == [(pair.target.name, False, True), ("weights-1-sync.mp4", True, False)]
    editor.calls.clear()
    for name, order in (("SwapTalk", "swap-first"), ("Latent, sync first", "sync-first")):
        rows[name].render(pair, tmp_path / "o.mp4")
        assert editor.calls == [(pair.target.name, True, True)] and editor.order == order
        editor.calls.clear()
    rows["Sync-Swap-Restore"].render(pair, tmp_path / "o.mp4")
    assert editor.calls == []  # both steps are there from the row without restoring
    rows["Swap-Restore-Sync"].render(pair, tmp_path / "restored.mp4")
    with VideoReader(tmp_path / "restored.mp4") as reader:
        assert len(reader) == 50
    with pytest.raises(ValueError, match="unknown step"):
        Cascade("x", ("dance",), editor).render(pair, tmp_path / "o.mp4")


def test_sharpening_keeps_flat_areas_and_raises_contrast_at_edges() -> None:
    image = np.full((20, 40, 3), 80, np.uint8)
    image[:, 20:] = 160
    sharp = sharpen(image)
    assert sharp[10, 2, 0] == 80 and sharp[10, 37, 0] == 160
    assert sharp[10, 19, 0] < 80 and sharp[10, 20, 0] > 160


def test_two_rows_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="Copy target"):
        check_names([CopyTarget(), CopyTarget()])
