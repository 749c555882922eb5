from facedet.detectors import load_catalogue
from facedet.examples import find_examples
from facedet.images import decode


def test_the_examples_are_there_and_hold_what_they_say() -> None:
    detector = load_catalogue().get("yunet").load(0.6)
    faces = {e.id: len(detector.detect(decode(e.load()).pixels)) for e in find_examples()}
    assert faces == {"both": 2, "astronaut": 1, "hopper": 1, "cat": 0, "rocket": 0}
