import numpy as np
import pytest
from PIL import Image, ImageFilter

from facedet.cleaning.looks import Look
from tests.cleaning.made import photo


def bits(a: Image.Image, b: Image.Image) -> int:
    numbers = [int(Look.of(image).perceptual_hash(), 16) for image in (a, b)]
    return (numbers[0] ^ numbers[1]).bit_count()


def test_a_scaled_picture_keeps_its_hash_within_few_bits() -> None:
    assert all(bits(photo(n), photo(n).resize((400, 300))) <= 4 for n in range(20))


def test_other_pictures_have_other_hashes() -> None:
    assert min(bits(photo(n), photo(n + 1)) for n in range(40)) > 12


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_has_no_hash(grey: int) -> None:
    assert Look.of(Image.new("L", (90, 90), grey)).perceptual_hash() == ""


def test_blurring_makes_less_sharp() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    sharp = Image.fromarray(noise)
    soft = sharp.filter(ImageFilter.GaussianBlur(2))
    assert Look.of(soft).sharpness() < Look.of(sharp).sharpness() / 4


def test_brightness_is_that_of_the_dark_and_of_the_bright_parts() -> None:
    steps = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[:, None], 64, axis=1)
    darkest, brightest = Look.of(Image.fromarray(steps[:64])).brightness()
    assert darkest == pytest.approx(6 / 255, abs=0.01)
    assert brightest == pytest.approx(126 / 255, abs=0.01)


def test_information_counts_the_bits_of_the_levels() -> None:
    levels = np.repeat(np.arange(0, 256, 16, dtype=np.uint8), 256).reshape(64, 64)
    assert Look.of(Image.fromarray(levels)).information() == pytest.approx(4)
    assert Look.of(Image.new("L", (64, 64))).information() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("wh", [(1, 1), (3, 500), (640, 480)])
def test_any_mode_and_size_has_a_look(mode: str, wh: tuple[int, int]) -> None:
    look = Look.of(Image.new(mode, wh))
    assert look.rgb.shape == (*look.grey.shape, 3)
    assert max(look.grey.shape) <= 64
    assert np.isfinite([look.sharpness(), *look.brightness(), look.information()]).all()
