"""Subtitles: texts and times read, cut, muxed and read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from swaptalk.errors import InputError
from swaptalk.media.audio import stream_channels
from swaptalk.media.mux import AUDIO_RATE, AudioSource, FurtherSound, mux
from swaptalk.media.output_format import MOV, MP4, WEBM, OutputFormat
from swaptalk.media.subtitles import (
    Cue,
    SubtitleTrack,
    cut_cues,
    further_tracks,
    parse_subtitles,
    read_subtitles,
    track_cues,
    without_overlaps,
)
from swaptalk.media.video_writer import VideoWriter

SRT = """1
00:00:00,500 --> 00:00:01,200
<i>Hello</i>

2
00:00:02,000 --> 00:00:03,000
World
again
"""


def test_subrip_and_webvtt_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_bytes(b"\xef\xbb\xbf" + SRT.replace("\n", "\r\n").encode())
    vtt = "WEBVTT\n\nNOTE x\n\n00:00.500 --> 00:01.200 align:left\nHello\n\n" + SRT.split("\n\n")[1]
    (tmp_path / "a.vtt").write_text(vtt.replace(",", "."))
    expected = (Cue(0.5, 1.2, "Hello"), Cue(2.0, 3.0, "World\nagain"))
    assert read_subtitles(tmp_path / "a.srt") == expected
    assert read_subtitles(tmp_path / "a.vtt") == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing", "holds no subtitles"),
        ("1\n00:00:02,000 --> 00:00:01,000\nHi\n", "line 2 ends before it starts"),
        ("1\n00:00:02 --> soon\nHi\n", "line 2 is no time"),
    ],
)
def test_wrong_subtitles_name_the_line(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_subtitles(text)


def test_cues_are_cut_and_put_after_each_other() -> None:
    cues = (Cue(0, 2, "a"), Cue(1, 3, "b"), Cue(5, 6, "c"))
    assert cut_cues(cues, 1.5, 5.5) == (Cue(0, 0.5, "a"), Cue(0, 1.5, "b"), Cue(3.5, 4, "c"))
    apart = (Cue(0, 1, "a"), Cue(1, 2, "a\nb"), Cue(2, 3, "b"), Cue(5, 6, "c"))
    assert without_overlaps(cues) == apart


@pytest.mark.parametrize(("form", "codec"), [(MP4, "h264"), (WEBM, "vp9"), (MOV, "prores")])
def test_tracks_come_back_as_they_were_written(
    tmp_path: Path, make_sound: Callable[..., Path], form: OutputFormat, codec: str
) -> None:
    segment, out = tmp_path / "segment.mp4", tmp_path / "out.bin"
    with VideoWriter(segment, 64, 64, 25, codec, threads=1) as writer:
        for _ in range(100):
            writer.write(np.full((64, 64, 3), 90, np.uint8))
    click = np.zeros(2 * AUDIO_RATE)
    click[30000:30020] = 0.8
    words, other = make_sound("words.wav", np.full(96000, 0.1)), make_sound("other.wav", click)
    mux(
        [segment],
        AudioSource(words),
        out,
        25,
        form=form,
        further=[FurtherSound(AudioSource(other), "fra", None)],
        subtitles=[SubtitleTrack(parse_subtitles(SRT), "eng", "Words")],
    )
    sound, text = further_tracks(out)
    assert (sound.kind, sound.language, text.kind, text.language) == (
        "audio",
        "fra",
        "subtitle",
        "eng",
    )
    assert track_cues(out, text) == parse_subtitles(SRT)
    blocks = list(stream_channels(out, AUDIO_RATE, 1, track=sound.index))
    samples = np.concatenate(blocks)[:, 0]
    assert abs(int(np.argmax(np.abs(samples))) - 30010) < 480
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == 2 and len(container.streams.subtitles) == 1
