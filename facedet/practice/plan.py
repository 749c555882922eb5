"""The practice dataset as a plan: every line, its fault, its picture and its label, as numbers.

Nothing is painted here, so that a plan of thousands is made in a moment, and may be painted by many
processes at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from facedet.boxes import as_boxes, iou_matrix
from facedet.practice.develop import FORMATS, Format
from facedet.practice.faults import FaultName, deal
from facedet.practice.sites import PLACEHOLDER_HOSTS, Address, AddressBook
from facedet.practice.studio import Shot, Studio
from facedet.types import FloatArray

FITS_IOU = 0.5
# Where a redirect must never lead: a cloud's metadata service, a router, a neighbour.
# For a client that goes all the same: but for the first, addresses that hardly anybody gives away.
PRIVATE_URLS = (
    "http://169.254.169.254/latest/meta-data/portrait.jpg",
    "http://192.168.255.254/logo.png",
    "http://10.255.255.254/camera.jpg",
    "http://[fe80::1]/snapshot.jpg",
)
# What is strange in the real files without being wrong, and how frequent it is there.
PROFILE_SHARE = 0.024  # of the lines: pose 1 or 2
REPEAT_SHARE = 0.07  # of the lines: the URL of an earlier line of the same file
# Lines that need a picture of their own on the server, whole or to be spoilt.
PAINTED: frozenset[FaultName] = frozenset(
    (
        *("ok", "rate_limited", "flaky", "slow", "reset", "truncated_body", "redirect"),
        *("truncated_jpeg", "wrong_extension", "resized", "wrong_label", "second_face", "no_face"),
    )
)
_NO_LABEL_CARE: frozenset[FaultName] = frozenset(("wrong_label", "no_face", "second_face"))

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """One line to be.

    Args:
        number: of the line in the whole dataset, 0 on; also names its file.
        identity, photo_id: as in the label files.
        fault: what is wrong with it.
        address: where its link leads.
        shot: its picture; also planned where none will be painted, for the label's sake.
        format: of the picture's file.
        seed: for what is left to chance when it is painted.
        shown_scale: the site shows its picture at this scale of the labelled one; mostly 1.
        label_xyxy: the box of the label.
        pose, detection_score, curated: the label's other fields.
        twin: for a duplicate, the number of the line whose picture it has.
        repeats: the number of the line whose URL and label it has once more.
        location: for a redirect, where it leads.
    """

    number: int
    identity: str
    photo_id: int
    fault: FaultName
    address: Address
    shot: Shot
    format: Format
    seed: int
    shown_scale: float
    label_xyxy: FloatArray
    pose: float
    detection_score: float
    curated: bool
    twin: int | None = None
    repeats: int | None = None
    location: Address | None = None

    @property
    def painted(self) -> bool:
        """Whether the site has a file of its own for it."""
        return self.fault in PAINTED and self.repeats is None

    @property
    def shown_wh(self) -> tuple[int, int]:
        """Size of the picture as the site shows it."""
        w, h = self.shot.image_wh
        return max(1, round(w * self.shown_scale)), max(1, round(h * self.shown_scale))

    @property
    def shown_boxes_xyxy(self) -> FloatArray:
        """(M, 4) true faces in the picture as the site shows it."""
        w, h = self.shot.image_wh
        factors = np.array([self.shown_wh[0] / w, self.shown_wh[1] / h] * 2, np.float32)
        return np.asarray(self.shot.boxes_xyxy * factors)

    @property
    def label_fits(self) -> bool:
        """Whether the label is on a face of the picture as the site shows it."""
        iou = iou_matrix(self.label_xyxy[None], self.shown_boxes_xyxy)
        return bool((iou >= FITS_IOU).any())


def plan_lines(
    studio: Studio, n_lines: int, fault_share: float, seed: int, port: int
) -> list[PlannedLine]:
    """Every line of a dataset: person after person, ids counting from 1 for each.

    Args:
        studio: who makes the pictures.
        n_lines: how many in all.
        fault_share: of them with a fault, 0-1.
        seed: same seed, same lines.
        port: of the little internet.
    """
    rng = np.random.default_rng([seed, 0])
    faults = deal(n_lines, fault_share, rng)
    # In the order of their files: a hyphen comes before the dot of ".txt".
    names = sorted(studio.people, key=lambda name: f"{name}.txt")
    people = _dealt_people(names, n_lines, rng)
    book = AddressBook(rng, port)
    lines: list[PlannedLine] = []
    count: dict[str, int] = defaultdict(int)
    for number, (identity, fault) in enumerate(zip(people, faults, strict=True)):
        count[identity] += 1
        line = _plan_line(studio, identity, fault, np.random.default_rng([seed, 1, number]))
        line["number"], line["photo_id"] = number, count[identity]
        lines.append(PlannedLine(**line, **_addresses(line, book, rng)))
    return _with_twins(_with_repeats(lines, rng), rng)


def _with_repeats(lines: list[PlannedLine], rng: Rng) -> list[PlannedLine]:
    """Some good lines become an earlier good line of the same person once more."""
    n_good = sum(line.fault == "ok" for line in lines)
    # Where nearly all are bad, most of the good ones shall still be pictures of their own.
    chance = min(0.3, REPEAT_SHARE * len(lines) / max(1, n_good))
    earlier: dict[str, list[PlannedLine]] = defaultdict(list)

    def repeat(line: PlannedLine) -> PlannedLine:
        mine = earlier[line.identity]
        if line.fault == "ok" and mine and rng.random() < chance:
            return _as_repeat(line, mine[rng.integers(len(mine))])
        if line.fault == "ok":
            mine.append(line)
        return line

    return [repeat(line) for line in lines]


def _with_twins(lines: list[PlannedLine], rng: Rng) -> list[PlannedLine]:
    """Each duplicate becomes the twin of a good line of the same person."""
    good: dict[str, list[PlannedLine]] = defaultdict(list)
    for line in lines:
        if line.fault == "ok" and line.repeats is None:
            good[line.identity].append(line)

    def twin(line: PlannedLine) -> PlannedLine:
        if line.fault != "duplicate":
            return line
        if not good[line.identity]:
            return replace(line, fault="ok")
        return _as_twin(line, good[line.identity][rng.integers(len(good[line.identity]))])

    return [twin(line) for line in lines]


def _dealt_people(people: Sequence[str], n_lines: int, rng: Rng) -> list[str]:
    """Whose each line is, in the order of the people; some have twice as many as others."""
    shares = rng.uniform(0.6, 1.4, len(people))
    ends = np.round(np.cumsum(shares / shares.sum()) * n_lines).astype(int)
    sizes = np.diff(np.append(0, ends))
    return [person for person, n in zip(people, sizes, strict=True) for _k in range(n)]


def _plan_line(studio: Studio, identity: str, fault: FaultName, rng: Rng) -> dict[str, Any]:
    faces = {"second_face": int(rng.integers(2, 5)), "no_face": 0}.get(fault, 1)
    shot = studio.plan(identity, rng, faces)
    # A label only: the built-in people all look at the camera.
    profile = rng.random() < PROFILE_SHARE or not (shot.frontal or shot.subject is None)
    return {
        "identity": identity,
        "fault": fault,
        "shot": shot,
        "format": _format(fault, rng),
        "seed": int(rng.integers(2**31)),
        "shown_scale": float(rng.uniform(0.4, 0.7)) if fault == "resized" else 1.0,
        "label_xyxy": _label(shot, fault, rng),
        "pose": float(rng.choice((1, 2) if profile else (3, 4, 5, 6))),
        "detection_score": round(float(np.clip(rng.normal(2.8, 1.1), 0, 5.9)), 2),
        "curated": bool(rng.random() < (0.15 if fault in _NO_LABEL_CARE else 0.42)),
    }


def _format(fault: FaultName, rng: Rng) -> Format:
    if fault == "truncated_jpeg":
        return "JPEG"
    if fault == "wrong_extension":
        return "PNG" if rng.random() < 0.6 else "WEBP"
    shares = np.array([share for _suffix, _type, share in FORMATS.values()])
    return list(FORMATS)[int(rng.choice(len(FORMATS), p=shares / shares.sum()))]


def _label(shot: Shot, fault: FaultName, rng: Rng) -> FloatArray:
    """A square about the face, as the DPM detector of 2015 drew it; two decimals."""
    if fault == "wrong_label" or shot.subject is None:
        box = _beside_faces(shot, rng)
    else:
        x1, y1, x2, y2 = shot.boxes_xyxy[shot.subject].tolist()
        side = (y2 - y1) * rng.uniform(0.95, 1.1)
        x, y = np.array([x1 + x2, y1 + y2]) / 2 + rng.normal(0, 0.02 * side, 2)
        box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    rounded: FloatArray = np.round(box, 2).astype(np.float32)
    return rounded


def _beside_faces(shot: Shot, rng: Rng) -> npt.NDArray[np.float64]:
    """A square that touches no face, in or partly outside the picture."""
    w, h = shot.image_wh
    for shrink in np.linspace(1, 0.2, 40):
        side = float(rng.uniform(0.2, 0.45) * min(w, h) * shrink)
        x, y = rng.uniform(0, w - side), rng.uniform(0, h - side)
        box = as_boxes([[x, y, x + side, y + side]])
        if not (iou_matrix(box, shot.boxes_xyxy) > 0).any():
            return np.asarray(box[0], np.float64)
    side = 0.3 * min(w, h)
    return np.array([-side, -side, 1.0, 1.0])  # no room: outside, but for a corner


def _addresses(line: dict[str, Any], book: AddressBook, rng: Rng) -> dict[str, Any]:
    """The line's address, and a second one where it leads on."""
    fault, person = line["fault"], line["identity"]
    suffix = _written_suffix(line, rng)
    if fault == "refused":
        return {"address": book.refused(person, suffix)}
    if fault == "redirect_private":
        url = str(rng.choice(PRIVATE_URLS))
        return {"address": book.new(person, suffix), "location": Address("", "", url)}
    if fault in ("redirect", "redirect_loop"):
        return {"address": book.new(person, suffix), "location": book.new(person, suffix)}
    site = str(rng.choice(PLACEHOLDER_HOSTS)) if fault == "placeholder" else ""
    scheme = "https" if fault == "tls" else "http"
    gone = fault == "unresolvable"
    return {"address": book.new(person, suffix, site=site, gone=gone, scheme=scheme)}


def _written_suffix(line: dict[str, Any], rng: Rng) -> str:
    suffix = ".jpg" if line["fault"] == "wrong_extension" else FORMATS[line["format"]][0]
    return suffix.upper() if rng.random() < 0.04 else suffix


def _as_twin(line: PlannedLine, twin: PlannedLine) -> PlannedLine:
    """The picture and the label of another line, at this one's address."""
    return replace(
        line,
        shot=twin.shot,
        format=twin.format,
        seed=twin.seed,
        label_xyxy=twin.label_xyxy,
        pose=twin.pose,
        detection_score=twin.detection_score,
        twin=twin.number,
    )


def _as_repeat(line: PlannedLine, first: PlannedLine) -> PlannedLine:
    """All of another line but its place in the file."""
    return replace(first, number=line.number, photo_id=line.photo_id, repeats=first.number)
