from pathlib import Path

from swaptalk.errors import InputError, SwapTalkError


def test_message_is_one_line_with_file_problem_and_remedy() -> None:
    error = InputError(
        "is not a video\n(moov atom not found)", path=Path("a.mp4"), remedy="give a video"
    )
    assert isinstance(error, SwapTalkError)
    assert str(error) == "a.mp4: is not a video (moov atom not found); give a video"


def test_message_without_a_file() -> None:
    assert str(SwapTalkError("no pip", remedy="install it")) == "no pip; install it"
