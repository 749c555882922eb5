import base64

import numpy as np
import pytest

from facedet.types import Detections
from facedet.ui import canvas
from facedet.ui.canvas import Pane, Pasted, TakeAway, pane_data


def pane(name: str, *boxes: list[float]) -> Pane:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    found = Detections(array, np.full(len(boxes), 0.5, np.float32), (100, 50))
    return Pane(name=name, title=name, found=found, threshold=0.6, floor=0.3, facts=[("a", "b")])


def test_the_same_face_has_the_same_number_in_each_pane() -> None:
    left = pane("left", [0, 0, 10, 10], [50, 0, 60, 10])
    right = pane("right", [51, 0, 61, 10], [80, 0, 90, 10])
    first, second = pane_data([left, right])
    assert [box[5] for box in first["boxes"]] == [0, 1]
    assert [box[5] for box in second["boxes"]] == [1, 2]
    assert first["heading"]
    assert first["boxes"][0][:5] == [0.0, 0.0, 10.0, 10.0, 0.5]


def test_nothing_found_is_an_ordinary_pane() -> None:
    [only] = pane_data([pane("one")])
    assert only["boxes"] == []
    assert not only["heading"]


@pytest.mark.parametrize(
    "value",
    [None, 3, {}, {"photo": "k"}, {"photo": "k", "model": "m", "min_score": "x", "chosen": []}],
)
def test_a_message_that_our_script_did_not_send_is_dropped(value: object) -> None:
    assert canvas._take_away(value) is None
    assert canvas._pasted(value) is None


def test_messages_of_our_script_become_values() -> None:
    sent = {"photo": "k", "model": "yunet", "min_score": 0.5, "chosen": [1, 0]}
    assert canvas._take_away(sent) == TakeAway("k", "yunet", 0.5, (1, 0))
    pasted = [{"name": "../x.png", "base64": base64.b64encode(b"abc").decode()}]
    assert canvas._pasted(pasted) == Pasted((("x.png", b"abc"),))
    assert canvas._pasted([{"name": "x", "base64": "not base64!"}]) is None
    assert canvas._pasted([]) is None
