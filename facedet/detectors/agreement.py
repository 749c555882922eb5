"""Several detectors on one photo: which faces do they share, which did only one of them find?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facedet.boxes import as_boxes, match_one_to_one
from facedet.types import Detections


@dataclass(frozen=True, slots=True)
class SharedFace:
    """One face as the detectors see it: for each, the index of its box, or None: not found."""

    index_by_detector: tuple[int | None, ...]

    @property
    def finders(self) -> list[int]:
        """The positions of the detectors that found it."""
        return [k for k, index in enumerate(self.index_by_detector) if index is not None]


def shared_faces(found: Sequence[Detections], min_iou: float = 0.5) -> list[SharedFace]:
    """The faces that one or more detectors found, matched one to one by IoU.

    The first detector's boxes stand for their faces; each further detector is matched to the faces
    known so far, and what it found beyond becomes new ones.

    Args:
        found: one `Detections` a detector, of the same photo.
        min_iou: boxes that overlap less are different faces, 0-1.
    """
    boxes_xyxy = as_boxes([])
    faces: list[list[int | None]] = []
    for k, detections in enumerate(found):
        pairs = dict(match_one_to_one(detections.boxes_xyxy, boxes_xyxy, min_iou))
        for face in faces:
            face.append(None)
        for i in range(len(detections)):
            if i in pairs:
                faces[pairs[i]][k] = i
            else:
                faces.append([None] * k + [i])
        new = [i for i in range(len(detections)) if i not in pairs]
        boxes_xyxy = np.concatenate([boxes_xyxy, detections.boxes_xyxy[new]])
    return [SharedFace(tuple(face)) for face in faces]


def only_found_by(faces: Sequence[SharedFace], detector: int) -> list[int]:
    """Indices (in that detector's own order) of the faces that no other detector found."""
    indices = (f.index_by_detector[detector] for f in faces if f.finders == [detector])
    return sorted(i for i in indices if i is not None)
