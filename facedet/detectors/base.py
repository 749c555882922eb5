"""What a detector is, how the catalogue describes one, and how threads share one."""

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from facedet.errors import ModelError
from facedet.types import Detections, Pixels

T = TypeVar("T")

# Below this nearly everything is noise, and drawing, tables and NMS slow down for nothing.
DEFAULT_FLOOR = 0.3


class Detector(Protocol):
    """Anything that finds faces. One instance serves all threads at once."""

    def detect(self, pixels: Pixels) -> Detections:
        """The faces of one photo, best first.

        Args:
            pixels: (H, W, 3) uint8 RGB, upright.
        """
        ...

    def detect_many(self, photos: Sequence[Pixels]) -> list[Detections]:
        """One `Detections` a photo, in the same order; photos may differ in size."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the catalogue.

    Args:
        name: what `--model` takes; unique.
        title: a short name for people.
        family: ``yunet``, ``haar`` or ``torchvision``.
        good_at, bad_at: one clause each.
        source, licence: where it comes from, under which terms.
        size_bytes: of its file; 0 where there is none.
        version: changes when the file under this name does; empty where it cannot.
        default_score: the threshold to start from, 0-1.
        problem: why it cannot run here; None where it can.
        build: makes the detector; it keeps what scores at least the given floor, 0-1.
    """

    name: str
    title: str
    family: str
    good_at: str
    bad_at: str
    source: str
    licence: str
    size_bytes: int
    default_score: float
    problem: str | None
    build: Callable[[float], Detector]
    version: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can run now."""
        return self.problem is None

    def load(self, min_score: float = DEFAULT_FLOOR) -> Detector:
        """The detector, which then keeps faces of at least `min_score`.

        Raises:
            ModelError: where it cannot run here, with the reason.
        """
        if self.problem is not None:
            raise ModelError(f"{self.name}: {self.problem}")
        return self.build(min_score)


class Pool(Generic[T]):
    """Lends instances of something that only one thread may use at a time.

    Makes at most `size` of them, when they are first needed; further borrowers wait. So the work
    of many sessions is bounded by the machine, and each instance is warm when it comes again.
    """

    def __init__(self, make: Callable[[], T], size: int) -> None:
        self._make = make
        self._idle: queue.LifoQueue[T | None] = queue.LifoQueue()
        for _place in range(size):
            self._idle.put(None)  # None: a place for one that is not made yet.

    @contextmanager
    def borrow(self) -> Iterator[T]:
        """One instance for the `with` block. One that fails is thrown away, not lent again."""
        lent = self._idle.get()
        try:
            instance = lent if lent is not None else self._make()
            yield instance
        except BaseException:
            self._idle.put(None)
            raise
        self._idle.put(instance)
