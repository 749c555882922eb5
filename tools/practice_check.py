"""How many of a practice set's true faces YuNet finds: ``python -m tools.practice_check DIR``.

Every picture that ``truth.csv`` has boxes for is looked at, as a patient client gets it.
"""

import sys
from pathlib import Path

from facedet.boxes import match_one_to_one
from facedet.detectors import load_catalogue
from facedet.images import read
from facedet.practice.truth import picture_paths, read_truth


def main() -> None:
    folder = Path(sys.argv[1])
    entry = load_catalogue().get("yunet")
    detector = entry.load(entry.default_score)
    paths = picture_paths(folder)
    true = found = extra = pictures = 0
    for row in read_truth(folder):
        if row.faces is None or row.url not in paths:
            continue
        boxes = detector.detect(read(paths[row.url]).pixels).boxes_xyxy
        pairs = len(match_one_to_one(row.true_boxes_xyxy, boxes))
        pictures, true, found = pictures + 1, true + row.faces, found + pairs
        extra += len(boxes) - pairs
    print(f"{pictures:,} pictures: {found:,} of {true:,} true faces found at IoU 0.5", end="")
    print(f" ({100 * found / true:.1f} %), {extra:,} other detections")


if __name__ == "__main__":
    main()
