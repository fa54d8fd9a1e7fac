"""Open media files safely and choose their streams.

Untrusted files: only local files are opened, only by demuxers on an allow-list (no playlists, no
device or network inputs, no still-image sequences), and sizes are checked before anything is
decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from swaptalk.errors import InputError
from swaptalk.media.limits import (
    MAX_CHANNELS,
    MAX_FRAME_RATE,
    MAX_STREAMS,
    MAX_VIDEO_SIDE,
    SAMPLE_RATES,
    Limits,
    beyond,
)
from swaptalk.storage.files import check_input_file

#: FFmpeg demuxers that may open a file. Playlists (hls, concat, dash, sdp, ...) are not among them,
#: nor are raw streams of pictures, which carry no time stamps.
ALLOWED_FORMATS = (
    "mov,matroska,avi,asf,flv,mpegts,mpeg,ogg,wav,w64,aiff,au,caf,mp3,aac,ac3,eac3,flac,amr,gif,apng,"
    "ivf,mxf,dv,nut,wv,ape,tta"
)
#: A decoder keeps this many pictures at least, for reference and on their way through its threads.
_FEW_PICTURES = 4

#: Decoders that may run: what cameras, phones, editors and browsers write. FFmpeg has five hundred,
#: most of them for formats of games and dead players, and those are the ones that nobody has looked
#: at for years.
ALLOWED_CODECS = frozenset(
    (
        "h264 hevc vp8 vp9 libvpx libvpx-vp9 av1 libdav1d vvc mpeg1video mpeg2video mpegvideo "
        "mpeg4 "
        "msmpeg4v1 msmpeg4v2 msmpeg4 wmv1 wmv2 wmv3 vc1 h261 h263 h263p h263i flv vp6 vp6a vp6f "
        "theora mjpeg mjpegb "
        "prores dnxhd cfhd dvvideo ffv1 huffyuv ffvhuff utvideo qtrle png apng gif rawvideo v210 "
        "v308 v408 v410 yuv4 "
        "aac aac_latm mp1 mp1float mp2 mp2float mp3 mp3float opus libopus vorbis flac alac ac3 "
        "eac3 dca truehd mlp "
        "amrnb amrwb libopencore_amrnb libopencore_amrwb wmav1 wmav2 wmapro wmalossless wavpack "
        "ape tta gsm gsm_ms "
        "adpcm_ms adpcm_ima_wav adpcm_ima_qt adpcm_swf adpcm_yamaha g722 g726 nellymoser pcm_alaw "
        "pcm_mulaw pcm_bluray "
        "pcm_dvd pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_u16le pcm_u16be pcm_s24le pcm_s24be "
        "pcm_s32le pcm_s32be "
        "pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_s16le_planar pcm_s24le_planar pcm_s32le_planar"
    ).split()
)


_PLAYLIST_MARKS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]", b"v=0", b"<smil")
_ODD_FILE_REMEDY = "give a video or sound file such as MP4, MOV, MKV, WebM, WAV or MP3"


@contextmanager
def open_media(path: str | Path) -> Iterator[InputContainer]:
    """Open a local media file for reading, for the length of a ``with`` block.

    Raises:
        InputError: missing, empty, unreadable, a playlist, no media file, damaged, or beyond the
            size limits.
    """
    container = open_container(path)
    try:
        yield container
    finally:
        container.close()


def open_container(path: str | Path) -> InputContainer:
    """Open like :func:`open_media`; the caller closes."""
    path = check_input_file(path)
    _check_size(path)
    _refuse_playlist(path)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ALLOWED_FORMATS,
        "codec_whitelist": ",".join(sorted(ALLOWED_CODECS)),
        "max_streams": str(MAX_STREAMS + 1),  # so that there being more shows
    }
    try:
        # "file:" keeps a name such as "concat:a|b" or "http:x" from being taken for a protocol.
        container = av.open(
            f"file:{path.resolve()}", mode="r", options=options, metadata_errors="replace"
        )
    except MemoryError:  # the limit of the process, not damage
        raise
    except (FFmpegError, OSError, ValueError) as error:
        raise _open_error(path) from error
    try:
        _check_limits(container, path)
    except BaseException:
        container.close()
        raise
    return container


def _check_size(path: Path) -> None:
    gigabytes, most = path.stat().st_size / 1e9, Limits.from_environment().max_file_gb
    if gigabytes > most:
        raise beyond(
            f"the file has {gigabytes:.1f} GB", "max_file_gb", path, "cut out the part you need"
        )


def _refuse_playlist(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(_PLAYLIST_MARKS):
        raise InputError(
            "is a playlist, not a recording", path=path, remedy="give the media file itself"
        )


def _open_error(path: Path) -> InputError:
    """Make the error: a truncated recording, or no media file."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") or head[:4] in (
        b"\x1aE\xdf\xa3",
        b"RIFF",
        b"OggS",
    ):
        return InputError(
            "is truncated or damaged", path=path, remedy="copy, download or export it again"
        )
    return InputError("is not a video or sound file", path=path, remedy=_ODD_FILE_REMEDY)


def _check_limits(container: InputContainer, path: Path) -> None:
    if len(container.streams) == 0:
        raise InputError("holds no streams", path=path, remedy=_ODD_FILE_REMEDY)
    if len(container.streams) > MAX_STREAMS:
        raise InputError(
            f"holds more than {MAX_STREAMS} streams",
            path=path,
            remedy="export it with one of each kind",
        )
    limits = Limits.from_environment()
    hours = (container.duration or 0) / av.time_base / 3600
    if hours > limits.max_media_hours:
        raise beyond(
            f"its header says it lasts {hours:.0f} hours",
            "max_media_hours",
            path,
            "cut out what you need",
        )
    for stream in container.streams.video:
        if not _decodable(stream):
            continue
        width, height = stream.codec_context.width, stream.codec_context.height
        check_picture_size(width, height, path, limits)
        rate = stream.average_rate or 0
        if rate > MAX_FRAME_RATE and (stream.frames or 0) > MAX_FRAME_RATE:
            raise InputError(
                f"{float(rate):.0f} pictures a second are too many",
                path=path,
                remedy="export it at 60 or fewer",
            )
    for sound in container.streams.audio:
        if not _decodable(sound):
            continue
        samples, channels = sound.codec_context.sample_rate, sound.codec_context.channels
        if (samples and samples not in SAMPLE_RATES) or channels > MAX_CHANNELS:
            raise InputError(
                f"sound of {samples} Hz with {channels} channels is not supported",
                path=path,
                remedy="export it as WAV",
            )
    if not any(_decodable(stream) for stream in container.streams):
        names = sorted(
            {
                _codec_name(stream)
                for stream in container.streams
                if stream.type in ("video", "audio")
            }
        )
        if names:
            raise InputError(
                f"nothing in it is of a kind that is read ({', '.join(names)})",
                path=path,
                remedy="convert it to H.264 and AAC",
            )


def check_picture_size(width: int, height: int, path: Path, limits: Limits) -> None:
    """Refuse pictures that would not fit, before memory is taken for one.

    Raises:
        InputError: too many pixels, or a side too long.
    """
    if max(width, height) > MAX_VIDEO_SIDE:
        raise InputError(
            f"pictures of {width}x{height} are too large",
            path=path,
            remedy="scale it to 8K or less",
        )
    if width * height > limits.max_video_megapixels * 1e6:
        raise beyond(
            f"pictures of {width}x{height} are too large",
            "max_video_megapixels",
            path,
            "scale it down",
        )


def _codec_name(stream: Stream) -> str:
    context = getattr(stream, "codec_context", None)
    return "unknown" if context is None else str(context.name)


def _decodable(stream: Stream) -> bool:
    """Whether an allowed decoder is there (PyAV gives a stream of an unknown codec no context,
    against its stubs).
    """
    return (
        getattr(stream, "codec_context", None) is not None
        and stream.codec_context.name in ALLOWED_CODECS
    )


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures (cover art does not count), or None.

    The stills in a HEIF or AVIF file count only if it holds nothing that moves.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
        and _decodable(stream)
        and stream.codec_context.width > 0
        and stream.codec_context.height > 0
    ]
    moving = [stream for stream in streams if not is_picture_item(stream)]
    return next(iter(moving or streams), None)


def is_picture_item(stream: Stream) -> bool:
    """Whether FFmpeg made the stream of a still of a HEIF or AVIF file: one picture without a
    length.
    """
    return (
        isinstance(stream, VideoStream)
        and (stream.frames, stream.duration) == (1, None)
        and stream.time_base == 1
    )


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The sound that players choose (default flag, then channels), or None if there is none that
    decodes.
    """
    best = container.streams.best("audio")
    for stream in (best, *container.streams.audio):
        if (
            isinstance(stream, AudioStream)
            and _decodable(stream)
            and stream.codec_context.sample_rate > 0
        ):
            return stream
    return None


def counts_in_decoding_order(container: InputContainer) -> bool:
    """Whether packets carry no time of display, only their number in decoding order, as AVI's do.

    FFmpeg's guesses at display times are wrong there with B-frames: the n-th picture out belongs to
    the n-th packet.
    """
    return container.format.name == "avi"


def read_packets(
    container: InputContainer, *streams: VideoStream | AudioStream
) -> Iterator[Packet[Stream]]:
    """Yield packets from here on, with the empty ones that flush decoders; stop at damage."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except MemoryError:  # the limit of the process, not damage
            raise
        except (
            StopIteration,
            FFmpegError,
            IndexError,
        ):  # IndexError: a stream that comes up only now
            return
        yield packet


def check_memory(stream: VideoStream) -> None:
    """Raise MemoryError if memory has run out: decoders report damage for that, too.

    Raises:
        MemoryError: there is no room for a few pictures.
    """
    bytearray(_FEW_PICTURES * stream.codec_context.width * stream.codec_context.height * 3 // 2)
