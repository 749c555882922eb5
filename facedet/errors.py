"""All errors that the core raises on purpose, one tree::

    FacedetError
    ├── UsageError                the call itself is wrong (exit code 2 on the command line)
    │   └── UnknownModelError     no detector of that name
    ├── ImageError                one picture cannot be used
    │   ├── NotAnImageError       the bytes are something else, or nothing
    │   ├── ImageTooLargeError    more bytes or pixels than the limits allow
    │   └── DamagedImageError     the right kind of file, but its content is broken
    ├── LabelError                a label table or label file cannot be used
    ├── ModelError                a detector cannot run here
    │   └── CheckpointError       a checkpoint is broken, foreign or does not match
    ├── DatasetError              an archive, index or dataset folder cannot be used
    ├── PracticeError             the practice dataset cannot be made or served
    └── JobError                  a run directory is missing, in use or damaged

A message says what was found, where, and what to do. It is one line, fit to be shown as it is.
"""

from facedet.i18n import gettext as _

MAX_SHOWN_NAME = 80


class FacedetError(Exception):
    """The root: whatever the core refuses, it refuses with one of these."""


class UsageError(FacedetError):
    """The call itself is wrong."""


class UnknownModelError(UsageError):
    """No detector of that name, and no checkpoint at that path."""


class ImageError(FacedetError):
    """One picture cannot be used."""


class NotAnImageError(ImageError):
    """The bytes are not a picture in a format that the lab reads."""


class ImageTooLargeError(ImageError):
    """The picture has more bytes or pixels than the limits allow."""


class DamagedImageError(ImageError):
    """The file is a picture, but it is cut off or broken inside."""


class LabelError(FacedetError):
    """A label table or label file cannot be used."""


class ModelError(FacedetError):
    """A detector cannot run here."""


class CheckpointError(ModelError):
    """A checkpoint is broken, of a foreign architecture, or knows no face."""


class DatasetError(FacedetError):
    """An archive, index or dataset folder cannot be used."""


class PracticeError(FacedetError):
    """The practice dataset cannot be made or served."""


class JobError(FacedetError):
    """A run directory is missing, in use or damaged."""


def checked_score(value: float) -> float:
    """The score threshold itself; raises `UsageError` where it is not within 0 to 1."""
    if not 0.0 <= value <= 1.0:  # NaN fails this comparison too
        raise UsageError(
            _("the score threshold is {value}: give a number from 0 to 1").format(value=value)
        )
    return value


def shown_name(name: str) -> str:
    """A file's name fit for one line of a message: no control characters, the middle cut out.

    Names come from strangers: a newline could forge a second line, 300 characters hide the rest.
    """
    flat = "".join(c if c.isprintable() else "�" for c in name)
    if len(flat) <= MAX_SHOWN_NAME:
        return flat
    half = MAX_SHOWN_NAME // 2 - 1
    return f"{flat[:half]}…{flat[-half:]}"
