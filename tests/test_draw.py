import numpy as np
import pytest

from facedet.draw import MAX_BLOCKS, REDACTION_STYLES, Redaction, RedactionStyle, draw_boxes, redact
from facedet.types import Detections, Pixels


def one_face(box: list[float], image_wh: tuple[int, int]) -> Detections:
    return Detections(np.array([box], np.float32), np.array([0.9], np.float32), image_wh)


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)


def test_boxes_are_drawn_on_a_copy_in_the_detection_colour(noise: Pixels) -> None:
    before = noise.copy()
    drawn = draw_boxes(noise, one_face([50, 60, 150, 160], (300, 200)), scores=False)
    np.testing.assert_array_equal(noise, before)
    assert drawn[100, 50].tolist() == [0x56, 0xB4, 0xE9]
    assert drawn[159, 100].tolist() == [0x56, 0xB4, 0xE9]  # x2 and y2 are exclusive
    np.testing.assert_array_equal(drawn[80:140, 60:140], before[80:140, 60:140])


@pytest.mark.parametrize(
    "box", [[-50, -50, -10, -10], [290, 190, 400, 400], [0, 0, 300, 200], [5, 5, 5, 5]]
)
@pytest.mark.parametrize("style", REDACTION_STYLES)
def test_boxes_over_the_edge_are_no_trouble(
    noise: Pixels, box: list[float], style: RedactionStyle
) -> None:
    found = one_face(box, (300, 200))
    assert draw_boxes(noise, found).shape == noise.shape
    assert redact(noise, found, Redaction(style=style, shape="ellipse")).shape == noise.shape


def test_nothing_found_leaves_the_photo_as_it_is(noise: Pixels) -> None:
    nothing = Detections.empty((300, 200))
    np.testing.assert_array_equal(draw_boxes(noise, nothing), noise)
    np.testing.assert_array_equal(redact(noise, nothing), noise)


@pytest.mark.parametrize("side", [9, 40, 100, 131])
@pytest.mark.parametrize("margin", [0.0, 0.15, 0.4])
def test_a_pixelated_face_keeps_eight_blocks_a_side_at_most(
    noise: Pixels, side: int, margin: float
) -> None:
    x, y = 60, 40
    found = one_face([x, y, x + side, y + side], (300, 200))
    out = redact(noise, found, Redaction(style="pixelate", margin=margin))
    row = out[y + side // 2, x : x + side].astype(int)
    changes = (np.abs(np.diff(row, axis=0)).sum(axis=1) > 0).sum()
    # A face whose edge cuts a block shows one more, in part.
    assert changes <= MAX_BLOCKS


@pytest.mark.parametrize("style", REDACTION_STYLES)
def test_two_faces_with_the_same_averages_cannot_be_told_apart(style: RedactionStyle) -> None:
    """What is painted depends on the 8 x 8 averages alone: the rest of the face is gone."""
    found = one_face([0, 0, 64, 64], (64, 64))
    cell = np.indices((64, 64)).sum(axis=0) % 2 * 100
    first = np.repeat((80 + cell)[..., None], 3, axis=2).astype(np.uint8)
    second = np.repeat((180 - cell)[..., None], 3, axis=2).astype(np.uint8)
    how = Redaction(style=style, margin=0)
    assert (first != second).any()
    np.testing.assert_array_equal(redact(first, found, how), redact(second, found, how))


@pytest.mark.parametrize("shape", ["box", "ellipse"])
@pytest.mark.parametrize("style", REDACTION_STYLES)
def test_the_whole_face_is_hidden_and_the_rest_is_not(
    noise: Pixels, shape: str, style: RedactionStyle
) -> None:
    out = redact(
        noise, one_face([100, 60, 160, 130], (300, 200)), Redaction(style=style, shape=shape)
    )
    changed = (out != noise).any(axis=2)
    assert changed[60:130, 100:160].mean() > 0.99
    np.testing.assert_array_equal(out[:, :60], noise[:, :60])
    np.testing.assert_array_equal(out[:10], noise[:10])
