import numpy as np
import pytest

from swaptalk.faces.editing.exposure import Exposure
from swaptalk.pipeline.analysis.reference import (
    HYSTERESIS,
    LEAST_DIFFERENCE,
    MAXIMUM_REFERENCES,
    OPENNESS_STEP,
    assign_references,
    choose_mouths,
    choose_references,
    choose_samples,
    eligible_frames,
)
from swaptalk.pipeline.analysis.result import SCENE_START


def _clip(yaw: list[float]) -> np.ndarray:
    return np.stack([np.array(yaw), np.zeros(len(yaw)), np.zeros(len(yaw))], axis=1)


def test_a_still_head_needs_one_reference_with_an_open_mouth() -> None:
    openness = np.array([0.0, 0.05, 0.5, 0.1, 0.02, 0.0])
    chosen = choose_references(_clip([0, 1, 0, 1, 0, 1]), openness, np.ones(6, bool))
    assert chosen.tolist() in ([2], [3])


def test_every_pose_has_a_reference_near_it_and_unusable_frames_are_none() -> None:
    pose = _clip(list(np.linspace(-40, 40, 81)))
    usable = np.ones(81, bool)
    usable[::7] = False
    chosen = choose_references(pose, np.random.default_rng(0).random(81), usable)
    assert usable[chosen].all()
    assigned = chosen[assign_references(pose, chosen)]
    assert np.abs(pose[assigned, 0] - pose[:, 0]).max() < 15


def test_wobbling_between_two_references_does_not_switch() -> None:
    pose = _clip([-10, *[0.5 * HYSTERESIS * 0.4 * (-1) ** i for i in range(50)], 10])
    assigned = assign_references(pose, np.array([0, 51]))
    assert assigned[0] == 0
    assert len(set(assigned[1:51].tolist())) == 1
    assert assigned[51] == 1


def test_no_usable_frame() -> None:
    with pytest.raises(ValueError, match="usable"):
        choose_references(_clip([0.0]), np.zeros(1), np.zeros(1, bool))


def test_frames_with_a_hand_or_in_another_light_are_no_references() -> None:
    usable = np.ones(6, bool)
    covered = np.array([0.3, 0.0, np.nan, 0.01, 0.0, 0.2], np.float32)
    light = np.tile(np.array(Exposure(), np.float32), (6, 1))
    light[4] = 4, 0
    assert np.flatnonzero(eligible_frames(usable, covered, light)).tolist() == [1, 3]
    assert np.flatnonzero(eligible_frames(usable, covered, light + 0.5)).tolist() == [1, 3, 4]
    # A microphone that is always there: the frames in which it covers least.
    assert np.flatnonzero(eligible_frames(usable, covered + 0.2, light)).tolist() == [1, 3]
    unknown = np.full(6, np.nan, np.float32)
    assert eligible_frames(usable, unknown, light).all()


def test_mouths_differ_in_pose_and_in_opening() -> None:
    """A still head that speaks gives several mouths, one that never opens it few."""
    still = _clip([0.0] * 40)
    openness = np.linspace(0, 0.5, 40)
    chosen = choose_mouths(still, openness, np.ones(40, bool))
    assert 0 in chosen and 39 in chosen
    assert np.diff(openness[chosen]).min() >= LEAST_DIFFERENCE * OPENNESS_STEP - 1e-9
    assert len(choose_mouths(still, np.zeros(40), np.ones(40, bool))) == 1
    turning = choose_mouths(_clip(list(np.linspace(-40, 40, 81))), np.zeros(81), np.ones(81, bool))
    assert len(turning) <= MAXIMUM_REFERENCES and {0, 80} <= set(turning.tolist())


def test_samples_stay_when_more_of_the_target_is_used() -> None:
    frames = 3 * SCENE_START
    usable, covered = np.ones(frames, np.bool_), np.full(frames, np.nan)
    usable[:4] = False
    covered[6::6] = 0.1
    covered[30:60:6] = 0.0  # nothing in front of the face
    covered[-6] = -1.0
    whole = choose_samples(usable, covered, np.zeros(0, np.intp))
    part = slice(0, SCENE_START + 10)
    assert whole.tolist() == [30, 42, 54]
    assert whole.tolist() == choose_samples(usable[part], covered[part], np.zeros(0, int)).tolist()


def test_scenes_have_samples_of_their_own() -> None:
    usable, covered = np.ones(40, np.bool_), np.zeros(40)
    usable[10:20] = False
    covered[30:] = np.nan  # nobody looked
    assert choose_samples(usable, covered, np.array([10, 20])).tolist() == [0, 4, 9, 20, 24, 29]
    assert choose_samples(usable, covered, np.array([5, 10, 20, 30])).tolist() == [0, 5, 20, 30]


def test_no_sample_where_no_frame_is_usable() -> None:
    with pytest.raises(ValueError, match="no frame has a usable face"):
        choose_samples(np.zeros(3, np.bool_), np.zeros(3), np.zeros(0, np.intp))
