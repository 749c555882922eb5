import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from facedet.detectors.base import Pool


def test_instances_are_made_late_reused_and_never_more_than_the_size() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    pool: Pool[object] = Pool(make, 2)
    assert not made
    with pool.borrow() as first:
        pass
    with pool.borrow() as again:
        assert again is first
    barrier = threading.Barrier(2)

    def use(_n: int) -> None:
        with pool.borrow():
            barrier.wait(5)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(8)))
    assert len(made) == 2


def test_one_that_failed_is_not_lent_again() -> None:
    pool: Pool[list[int]] = Pool(list, 1)
    with pytest.raises(RuntimeError), pool.borrow() as broken:
        broken.append(1)
        raise RuntimeError
    with pool.borrow() as fresh:
        assert fresh == []
