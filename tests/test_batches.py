import pytest

from facedet import batches, jobs
from facedet.batches import MAX_PHOTOS, open_batch, progress_of, start_batch
from facedet.errors import JobError, UsageError
from facedet.settings import Settings
from tests.test_jobs import wait_for


def test_a_batch_is_detected_found_again_and_forgotten(
    settings: Settings, both_jpeg: bytes
) -> None:
    photos = [("../x.jpg", both_jpeg), ("x.jpg", both_jpeg[:5000]), ("<b>\n.txt", b"text")]
    batch = start_batch(settings, photos, "yunet")
    wait_for(lambda: jobs.look(batch.run_dir).state in jobs.FINAL)
    again = open_batch(settings, batch.id)
    assert again == batch
    rows = [e for e in jobs.look(batch.run_dir).events if e["event"] == "photo"]
    assert [batch.photo_path(row).name for row in rows] == ["x.jpg", "x-2.jpg", "_b__.txt"]
    assert [row["error"] is None for row in rows] == [True, False, False]
    assert progress_of(jobs.look(batch.run_dir).events, "photo").done == 3
    batch.forget()
    assert not batch.uploads_dir.exists()
    with pytest.raises(JobError, match="not here any more"):
        open_batch(settings, batch.id)


@pytest.mark.parametrize("batch_id", ["", "../..", "detect-1", "/etc", "detect-x/../../y", "."])
def test_an_id_from_an_address_opens_nothing_else(settings: Settings, batch_id: str) -> None:
    settings.runs_dir.mkdir(parents=True)
    (settings.home / "y").mkdir()
    with pytest.raises(JobError):
        open_batch(settings, batch_id)


def test_too_many_photos_are_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="too many"):
        start_batch(settings, [("a.jpg", b"")] * (MAX_PHOTOS + 1), "yunet")


def test_progress_counts_what_an_earlier_run_did_and_not_its_pause() -> None:
    events = [
        {"event": "plan", "time": 0.0, "total": 10, "done": 0},
        {"event": "photo", "time": 1.0},
        {"event": "photo", "time": 2.0},
        {"event": "plan", "time": 1000.0, "total": 10, "done": 2},
        {"event": "photo", "time": 1000.5},
        {"event": "photo", "time": 1001.0},
    ]
    progress = progress_of(events, "photo")
    assert (progress.done, progress.total) == (4, 10)
    assert progress.per_second == pytest.approx(2.0)
    assert progress.left_s == pytest.approx(3.0)


def test_progress_of_nothing_promises_nothing() -> None:
    assert progress_of([], "photo") == batches.Progress(0, 0, 0.0, None)
