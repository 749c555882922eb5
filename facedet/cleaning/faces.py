"""The cleaner that looks for faces: is there one, is it where the label says, and is it alone?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from facedet import boxes, images
from facedet.cleaning.cleaner import Bools, Cleaner, Picture, Reasons, Threshold, Values
from facedet.cleaning.pictures import Labels
from facedet.detectors import load_catalogue
from facedet.detectors.base import DEFAULT_FLOOR, Detector
from facedet.i18n import gettext as _
from facedet.types import Detections, FloatArray

if TYPE_CHECKING:
    import pandas as pd

CLEAR = 0.8  # score; chosen on a practice set of another seed: errors to 0.72, faces from 0.92
ON_A_LABEL = 0.5  # share of a face's area that a label covers, to be the face that is meant

_NUMBER = r"-?[0-9]{1,7}\.[0-9]{1,4}"  # as in a cell of faces

Ints = npt.NDArray[np.intp]


def measure(picture: Picture, detector: Detector) -> Values:
    """Find every face of one picture, doubtful ones too: how sure is sure is asked later."""
    picture.open().verify()
    photo = images.decode(picture.data, picture.image_path, picture.limits)
    found = detector.detect(photo.pixels)
    width, height = found.image_wh
    return {"width": width, "height": height, "found": as_cell(found)}


def verdict(pictures: "pd.DataFrame", labels: Labels, at: Mapping[str, float]) -> Reasons:
    """Compare the faces that were found with those that are labelled."""
    p = pictures
    found = Faces.found(p)
    faces = found.at_least(at["min_score"], at["min_side"])
    labelled = Faces.labelled(p, labels)
    p["faces"], p["labels"] = faces.per_picture(len(p)), labelled.per_picture(len(p))
    p["best_score"] = found.best(found.scores, len(p))
    p["label_iou"] = best_label_iou(faces, labelled, len(p))
    strangers = faces[~lie_on_a_label(faces, labelled)].at_least(at["stranger_score"], 0)
    p["strangers"] = strangers.per_picture(len(p))
    return {
        "no_face": p.faces == 0,
        "does_not_fit": p.label_iou < at["min_iou"],
        "unlabelled_face": p.index.isin(labels.known) & (p.faces > p.labels) & (p.strangers > 0),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces of many pictures in one: M boxes, and in which picture each is.

    Args:
        picture: (M,) row of the picture in its table, rising.
        boxes_xyxy: (M, 4).
        scores: (M,) 0-1; of a label 1, and 0 where it is one to ignore.
    """

    picture: Ints
    boxes_xyxy: FloatArray
    scores: FloatArray

    @classmethod
    def found(cls, pictures: "pd.DataFrame") -> Self:
        """What `measure` has written into the cells of the column ``found``."""
        cells = pictures["found"].tolist()
        counts = [cell.count(";") for cell in cells]
        numbers = np.array("".join(cells).replace(";", " ").split(), np.float32).reshape(-1, 5)
        return cls(np.repeat(np.arange(len(cells)), counts), numbers[:, 1:], numbers[:, 0])

    @classmethod
    def labelled(cls, pictures: "pd.DataFrame", labels: Labels) -> Self:
        """The labels of these pictures."""
        row_of = {image_path: row for row, image_path in enumerate(pictures.index)}
        rows = np.array([row_of.get(path, -1) for path in labels.image_paths], np.intp)
        order = np.argsort(rows, kind="stable")
        order = order[rows[order] >= 0]
        scores = (~labels.ignored[order]).astype(np.float32)
        return cls(rows[order], labels.boxes_xyxy[order], scores)

    def __getitem__(self, chosen: Bools | Ints) -> "Faces":
        return Faces(self.picture[chosen], self.boxes_xyxy[chosen], self.scores[chosen])

    def at_least(self, score: float, side_px: float) -> "Faces":
        """Those that are sure enough, and with no side shorter."""
        sides = self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]
        # As float32, for 0.6 must mean the same number as in the detector's own threshold.
        return self[(self.scores >= np.float32(score)) & (sides >= side_px).all(axis=1)]

    def per_picture(self, n: int) -> Ints:
        """How many there are in each of `n` pictures: (n,)."""
        return np.bincount(self.picture, minlength=n)

    def best(self, values: FloatArray, n: int) -> FloatArray:
        """The highest value in each of `n` pictures, NaN where it has no face: (M,) -> (n,)."""
        best = np.full(n, np.nan, np.float32)
        np.fmax.at(best, self.picture, values)
        return best


def best_label_iou(faces: Faces, labelled: Faces, n: int) -> FloatArray:
    """How well the face that fits best fits a label, 0-1; NaN without label or face: (n,)."""
    meant = labelled[labelled.scores > 0]
    i, j = pairs_of(faces.picture, meant.picture)
    a, b = faces.boxes_xyxy[i], meant.boxes_xyxy[j]
    inter = intersections(a, b)
    union = boxes.areas(a) + boxes.areas(b) - inter
    return faces[i].best(inter / np.maximum(union, np.float32(1e-6)), n)


def lie_on_a_label(faces: Faces, labelled: Faces) -> Bools:
    """Which faces are covered by one label for the most part: (M,)."""
    i, j = pairs_of(faces.picture, labelled.picture)
    covered = intersections(faces.boxes_xyxy[i], labelled.boxes_xyxy[j])
    on_it = np.zeros(len(faces.picture), bool)
    on_it[i[covered >= ON_A_LABEL * boxes.areas(faces.boxes_xyxy[i])]] = True
    return on_it


def intersections(a_xyxy: FloatArray, b_xyxy: FloatArray) -> FloatArray:
    """The area that each two boxes share: (M, 4), (M, 4) -> (M,)."""
    top_left = np.maximum(a_xyxy[:, :2], b_xyxy[:, :2])
    bottom_right = np.minimum(a_xyxy[:, 2:], b_xyxy[:, 2:])
    return np.asarray(np.clip(bottom_right - top_left, 0, None).prod(axis=1))


def pairs_of(a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """All i and j with ``a[i] == b[j]``; `b` rises."""
    first = np.searchsorted(b, a, "left")
    n = np.searchsorted(b, a, "right") - first
    i = np.repeat(np.arange(len(a)), n)
    within = np.arange(len(i)) - np.repeat(np.cumsum(n) - n, n)
    return i, first[i] + within


def as_cell(found: Detections) -> str:
    """Faces as one cell: ``score x1 y1 x2 y2;`` for each, the best first."""
    rows = zip(found.scores.tolist(), found.boxes_xyxy.tolist(), strict=True)
    return "".join(f"{score:.4f} {' '.join(f'{v:.2f}' for v in box)};" for score, box in rows)


def yunet() -> Cleaner:
    """Its line in the catalogue with YuNet, the detector to use."""
    return _cleaner("faces", "yunet", _("Faces"))


def haar() -> Cleaner:
    """The same with the Haar cascade, for comparison."""
    return _cleaner("faces-haar", "haar", _("Faces, by Haar"))


def _detector(model: str) -> Detector:
    return load_catalogue().get(model).load(DEFAULT_FLOOR)


def _cleaner(name: str, model: str, title: str) -> Cleaner:
    entry = load_catalogue().get(model)
    return Cleaner(
        name=name,
        title=title,
        summary=_("Sets aside what is broken, has no face, or another than its label says."),
        version=f"1 {entry.name} {entry.version}".strip(),
        columns={"width": float, "height": float, "found": str},
        patterns={"found": rf"({_NUMBER}( {_NUMBER}){{4}};)*"},
        thresholds=_thresholds(entry.default_score),
        measure=measure,
        verdict=verdict,
        needs={"detector": partial(_detector, model)},
    )


def _thresholds(default_score: float) -> tuple[Threshold, ...]:
    return (
        Threshold(
            name="min_score",
            label=_("Face score"),
            help=_("A face counts from this score on."),
            low=DEFAULT_FLOOR,
            high=1,
            step=0.01,
            default=default_score,
            rule=False,
            column="best_score",
        ),
        Threshold(
            name="stranger_score",
            label=_("Score of an unlabelled face"),
            help=_("A face without a label counts from this score on: a doubt costs no photo."),
            low=DEFAULT_FLOOR,
            high=1,
            step=0.01,
            default=max(default_score, CLEAR),
            rule=False,
        ),
        Threshold(
            name="min_side",
            label=_("Face side, px"),
            help=_("A face counts from this size on; smaller ones stand in the background."),
            low=0,
            high=200,
            default=0,
            rule=False,
        ),
        Threshold(
            name="min_iou",
            label=_("IoU with the label"),
            help=_("A face is the labelled one from this overlap on."),
            low=0,
            high=1,
            step=0.01,
            default=0.3,
            rule=False,
            column="label_iou",
        ),
        Threshold(
            name="no_face",
            label=_("No face"),
            help=_("There is no face in the picture."),
        ),
        Threshold(
            name="does_not_fit",
            label=_("Label does not fit"),
            help=_(
                "No face is where a label says: the picture was changed, or the label is wrong."
            ),
        ),
        Threshold(
            name="unlabelled_face",
            label=_("Unlabelled face"),
            help=_("There are more faces than labels, and one of them lies on no label."),
        ),
    )
