import cv2
import numpy as np
import pytest

from swaptalk.faces.editing.colour import apply_gain, apply_tone, colour_gain, film_tone
from swaptalk.faces.editing.composite import Compositor
from swaptalk.faces.geometry.align import crop_face


def _grey(picture):
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _tinted(picture, dark, bright):
    """A film that is toned from one colour to another."""
    level = _grey(picture).astype(np.float32)[..., :1] / 255
    low, high = np.array(dark, np.float32), np.array(bright, np.float32)
    return np.clip(low + (high - low) * level, 0, 255).astype(np.uint8)


TONES = {
    "grey": _grey,
    "sepia": lambda picture: _tinted(picture, (20, 10, 0), (255, 238, 205)),
    "blue": lambda picture: _tinted(picture, (0, 8, 30), (215, 240, 255)),
}


def _compressed(picture):
    """As video is: half the resolution of colour."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, 75]
    packed = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1]
    return cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("tone", TONES)
def test_a_coloured_face_takes_on_the_film(astronaut_face, hopper_face, tone):
    """The new face's colours are the film's at every brightness, to two levels."""
    crop, face = TONES[tone](astronaut_face[0]), hopper_face[0]
    measured = film_tone(_compressed(crop))
    assert measured.share == 1
    toned = apply_tone(face, measured)
    film = TONES[tone](np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (1, 1, 3)))
    levels = _grey(film)[0, :, 0]
    for channel in (0, 2):
        has = toned[..., channel].astype(float) - _grey(toned)[..., 0]
        wanted = film[0, :, channel].astype(float) - levels
        assert np.abs(has - np.interp(_grey(toned)[..., 0], levels, wanted)).mean() < 2
    if tone == "grey":
        assert np.ptp(apply_tone(face, film_tone(crop)), axis=2).max() == 0


def test_pictures_in_colour_stay_as_they_are(astronaut_face, hopper_face):
    for crop, _, _ in (astronaut_face, hopper_face):
        tone = film_tone(_compressed(crop))
        assert tone.share == 0 and apply_tone(crop, tone) is crop
        dim = film_tone((crop * 0.2).astype(np.uint8))  # the end of a fade is no film
        assert dim.share == 0


@pytest.mark.parametrize("region", ["face", "mouth"])
def test_grey_in_grey_out(hopper, hopper_face, astronaut_face, region):
    """Every pixel of a grey picture has three equal channels after a face in colour was pasted."""
    _, points, alignment = hopper_face
    picture, compositor = _grey(hopper), Compositor(region)
    for _ in range(3):
        result = compositor(picture, astronaut_face[0], alignment, points)
        assert np.ptp(result, axis=2).max() == 0
    assert np.abs(result.astype(int) - picture).max() > 30


def test_grey_needs_no_balance(astronaut_face):
    """A brighter grey face on a grey picture gets equal gains of all channels."""
    crop, weight = _grey(astronaut_face[0]), np.ones((256, 256), np.float32)
    gain = colour_gain(cv2.convertScaleAbs(crop, alpha=0.8), crop, weight)
    assert np.ptp(gain, axis=2).max() < 1e-5
    assert np.exp(gain).mean() == pytest.approx(1.25, abs=0.03)


def test_red_and_green_differences_do_not_become_blotches(astronaut_face):
    """Where one temple is redder and the other greener, the balance stays one for the face."""
    crop, weight = astronaut_face[0], np.ones((256, 256), np.float32)
    uneven = crop.astype(np.float32)
    uneven[:, :80] *= (1.2, 0.95, 0.95)
    uneven[:, 176:] *= (0.9, 1.1, 0.95)
    gain = colour_gain(np.clip(uneven, 0, 255).astype(np.uint8), crop, weight)
    balance = gain - gain.mean(axis=2, keepdims=True)
    assert np.ptp(balance, axis=(0, 1)).max() < 1e-5
    matched = apply_gain(crop, gain)
    assert matched.shape == crop.shape


def test_tone_is_steady_and_survives_storage(hopper, hopper_face, astronaut_face):
    _, points, alignment = hopper_face
    face, picture = astronaut_face[0], _compressed(TONES["sepia"](hopper))
    compositor = Compositor()
    first = compositor(picture, face, alignment, points)
    again = Compositor()
    again.state = compositor.state
    expected = compositor(picture, face, alignment, points)
    np.testing.assert_array_equal(again(picture, face, alignment, points), expected)
    assert np.abs(expected.astype(int) - first).mean() < 0.5
    red, _, blue = crop_face(expected, alignment).reshape(-1, 3).mean(axis=0)
    assert red > blue + 10
