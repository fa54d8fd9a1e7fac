"""Dolby Vision whose pictures only its own players understand (profile 5 and its like).

Their colours are coded as IPTPQc2, which FFmpeg takes for YCbCr: everything turns green and violet.
The other profiles hold an ordinary HDR or SDR picture, and say so in their tags.
"""

from __future__ import annotations

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

#: Kinds of tracks in MP4 and MOV that are Dolby Vision.
_TAGS = ("dvh1", "dvhe", "dva1", "dvav", "dav1")
_SIDE_DATA = (Type.DOVI_RPU_BUFFER, Type.DOVI_METADATA)
#: H.273 codes of the transfer function and the matrix.
_UNSPECIFIED, _IPT_C2 = 2, 15


def needs_dolby_vision(stream: VideoStream, frame: VideoFrame) -> bool:
    """Whether a video's pictures are not what their tags say without Dolby's metadata.

    Args:
        stream: the video.
        frame: its first decoded frame.
    """
    if frame.colorspace == _IPT_C2:
        return True
    # PyAV's stubs take the side data for a mapping of names; it is a sequence, too.
    kinds = [getattr(data, "type", None) for data in frame.side_data]
    is_dolby_vision = stream.codec_context.codec_tag in _TAGS or any(
        kind in _SIDE_DATA for kind in kinds
    )
    return is_dolby_vision and frame.color_trc == _UNSPECIFIED
