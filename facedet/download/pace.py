"""How many requests at once: as many as make it faster, and no more."""

from dataclasses import dataclass

INTERVAL_S = 1.0
BETTER = 1.05  # less than this is noise
WORSE = 0.7
CALM = 2  # intervals without a gain before fewer are tried
LEAST = 4


@dataclass(slots=True)
class Pace:
    """Climbs while more connections bring more answers a second; then tries to do with fewer.

    The network's capacity is unknown and changes: a fixed number is too small for a fast line and
    too large for a bad one, where every request then waits for every other until it times out.

    Args:
        most: never more at once.
        limit: where it begins.
    """

    most: int
    limit: int = 16
    _best: float = 0.0
    _since: float | None = None
    _finished: int = 0
    _calm: int = 0
    _before: int | None = None  # the limit to go back to, if fewer turn out to be slower

    def __post_init__(self) -> None:
        self.limit = min(self.limit, self.most)

    def tick(self, now: float, finished: int, *, busy: bool) -> None:
        """Look at the rate once an interval.

        Args:
            now: seconds.
            finished: requests that have ended so far.
            busy: whether the limit was in the way; otherwise the rate says nothing about it.
        """
        if self._since is None:
            self._since, self._finished = now, finished
            return
        if now - self._since < INTERVAL_S:
            return
        rate = (finished - self._finished) / (now - self._since)
        self._since, self._finished = now, finished
        if busy:
            self._adjust(rate)

    def _adjust(self, rate: float) -> None:
        if self._before is not None:
            if rate < self._best / BETTER:
                self.limit = self._before  # they were needed
            self._before = None
            self._best = max(rate, self._best * WORSE)
            return
        if rate > self._best * BETTER:
            self._best, self._calm = rate, 0
            self.limit = min(self.most, self.limit + max(4, self.limit // 2))
            return
        self._calm += 1
        if self._calm >= CALM:
            self._calm, self._best = 0, rate  # what was once the best need not be possible now
            self._before, self.limit = self.limit, max(min(LEAST, self.most), self.limit * 3 // 4)
