import csv
import errno
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from facedet.cleaning import quarantine
from facedet.cleaning.pictures import list_pictures
from facedet.errors import DatasetError

NAMES = ("images/Ada/1.jpg", "images/Ada/2.jpg", "images/Bo/1.jpg", "images/Bo/=1.jpg", "top.png")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return made(tmp_path / "dataset")


def made(folder: Path) -> Path:
    for n, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, ns=(0, 10**18 + n))
    return folder


def judged(*names: str, reason: str = "no_face", **columns: object) -> pd.DataFrame:
    # As objects: pandas' own text cannot hold a name that is not UTF-8.
    paths = pd.Series(names, dtype=object)
    table = pd.DataFrame({"image_path": paths, "verdict": "set_aside", "reason": reason})
    return table.assign(**columns)


def pictures(dataset: Path) -> dict[str, bytes]:
    """All files but those of the quarantine itself."""
    return {
        path.relative_to(dataset).as_posix(): path.read_bytes()
        for path in dataset.rglob("*")
        if path.is_file() and path.name not in {"manifest.csv", ".lock"}
    }


def in_quarantine(dataset: Path) -> set[str]:
    return {name for name in pictures(dataset) if name.startswith("quarantine/")}


def listed(dataset: Path) -> set[str]:
    return {row.quarantine_path for row in quarantine.manifest(dataset)}


def rows(dataset: Path) -> list[dict[str, str]]:
    with (dataset / "quarantine/manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- There and back


def test_only_what_is_to_be_set_aside_moves(dataset: Path) -> None:
    table = pd.DataFrame(
        {"verdict": ["keep", "set_aside"], "reason": ["", "no_face"]}, index=[NAMES[0], NAMES[1]]
    )
    [moved] = quarantine.apply(dataset, table, "faces").moved
    assert (moved.image_path, moved.quarantine_path) == (NAMES[1], f"quarantine/{NAMES[1]}")
    assert in_quarantine(dataset) == {f"quarantine/{NAMES[1]}"}
    assert (dataset / NAMES[0]).exists()


def test_the_manifest_says_what_why_by_whom_and_what_was_measured(dataset: Path) -> None:
    table = judged(NAMES[0], NAMES[3], reason="blur tiny", blur=[3.5, float("nan")], width=[64, 7])
    quarantine.apply(dataset, table.assign(by=["cleaner", "person"]), "integrity")
    first, second = quarantine.manifest(dataset)
    assert (first.reason, first.by) == ("blur tiny", "integrity")
    assert first.measured == {"blur": 3.5, "width": 64}
    assert second.by == "person"
    assert second.measured == {"blur": None, "width": 7}
    assert first.when.endswith("Z")
    assert [row["state"] for row in rows(dataset)] == ["aside", "aside"]


def test_nothing_to_set_aside_leaves_no_trace(dataset: Path) -> None:
    assert quarantine.apply(dataset, judged(), "faces") == quarantine.Applied()
    assert quarantine.undo(dataset) == quarantine.Restored()
    assert quarantine.recover(dataset) == ()
    assert quarantine.manifest(dataset) == ()
    assert not (dataset / "quarantine").exists()


def test_undo_gives_back_every_byte_and_time(dataset: Path) -> None:
    before = {name: (data, stamp(dataset, name)) for name, data in pictures(dataset).items()}
    quarantine.apply(dataset, judged(*NAMES), "faces")
    assert set(pictures(dataset)) == {f"quarantine/{name}" for name in NAMES}
    done = quarantine.undo(dataset)
    assert {row.image_path for row in done.restored} == set(NAMES)
    assert not done.troubles
    after = {name: (data, stamp(dataset, name)) for name, data in pictures(dataset).items()}
    assert after == before
    assert {path.name for path in (dataset / "quarantine").iterdir()} == {"manifest.csv", ".lock"}
    assert rows(dataset) == []


def stamp(dataset: Path, name: str) -> int:
    return (dataset / name).stat().st_mtime_ns


@pytest.mark.parametrize("path", [NAMES[2], f"quarantine/{NAMES[2]}"])
def test_some_can_be_brought_back(dataset: Path, path: str) -> None:
    quarantine.apply(dataset, judged(*NAMES), "faces")
    [back] = quarantine.undo(dataset, [path]).restored
    assert back.image_path == NAMES[2]
    assert (dataset / NAMES[2]).read_bytes() == NAMES[2].encode()
    assert len(listed(dataset)) == len(NAMES) - 1


def test_what_is_not_in_quarantine_is_said_so(dataset: Path) -> None:
    assert kinds(quarantine.undo(dataset, ["x.jpg"])) == {"x.jpg": "unknown"}
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    assert kinds(quarantine.undo(dataset, ["x.jpg"])) == {"x.jpg": "unknown"}


def kinds(done: quarantine.Applied | quarantine.Restored) -> dict[str, str]:
    return {trouble.image_path: trouble.kind for trouble in done.troubles}


def test_progress_is_told(dataset: Path) -> None:
    ticks: list[tuple[int, int]] = []
    quarantine.apply(dataset, judged(*NAMES[:2]), "faces", lambda *now: ticks.append(now))
    quarantine.undo(dataset, tick=lambda *now: ticks.append(now))
    assert ticks == [(1, 2), (2, 2)] * 2


def test_odd_names_go_there_and_back(dataset: Path) -> None:
    odd = ["images/=cmd().jpg", "images/caf\udce9.jpg", "images/two\nlines\r.jpg", "images/李.jpg"]
    for name in odd:
        (dataset / name).write_bytes(os.fsencode(name))
    before = pictures(dataset)
    assert not quarantine.apply(dataset, judged(*odd), "faces").troubles
    assert [row.image_path for row in quarantine.manifest(dataset)] == odd
    assert not quarantine.undo(dataset).troubles
    assert pictures(dataset) == before


@pytest.mark.parametrize("name", [b"bad\xff\xfename.jpg", rb"bad\xff\xfename.jpg"])
def test_a_name_as_tables_have_it_goes_there_and_back(dataset: Path, name: bytes) -> None:
    (dataset / os.fsdecode(name)).write_bytes(name)
    before = pictures(dataset)
    [path] = [e.image_path for e in list_pictures(dataset).entries if "bad" in e.image_path]
    [moved] = quarantine.apply(dataset, judged(path), "faces").moved
    assert moved.image_path == path == r"bad\xff\xfename.jpg"
    assert not (dataset / os.fsdecode(name)).exists()
    assert quarantine.recover(dataset) == ()
    assert not quarantine.undo(dataset, [path]).troubles
    assert pictures(dataset) == before


def test_several_tables_are_one_plan(dataset: Path) -> None:
    ticks: list[tuple[int, int]] = []
    tables = [
        judged(NAMES[0], by="integrity", width=[7]),
        judged(NAMES[1], NAMES[2], by=["faces", "person"], score=[0.5, 0.25]),
    ]
    moved = quarantine.apply(dataset, tables, tick=lambda *now: ticks.append(now)).moved
    assert [row.by for row in moved] == ["integrity", "faces", "person"]
    assert [row.measured for row in moved] == [{"width": 7}, {"score": 0.5}, {"score": 0.25}]
    assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_a_long_measured_value_is_cut_and_the_manifest_reads_back(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0], boxes="1 2 3 4;" * 100_000), "faces")
    [row] = quarantine.manifest(dataset)
    assert len(row.measured["boxes"]) == quarantine.LONGEST_VALUE + 1


def test_what_is_aside_already_is_no_trouble(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    before = rows(dataset)
    assert quarantine.apply(dataset, judged(NAMES[0]), "integrity") == quarantine.Applied()
    assert rows(dataset) == before


# --- Names that are taken


def test_a_taken_name_in_quarantine_stays_and_the_manifest_knows_the_other(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / NAMES[0]).write_bytes(b"downloaded again")
    [moved] = quarantine.apply(dataset, judged(NAMES[0]), "faces").moved
    assert moved.quarantine_path == "quarantine/images/Ada/1-2.jpg"
    assert (dataset / f"quarantine/{NAMES[0]}").read_bytes() == NAMES[0].encode()
    assert (dataset / moved.quarantine_path).read_bytes() == b"downloaded again"


def test_of_two_with_one_place_the_later_comes_back(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / NAMES[0]).write_bytes(b"downloaded again")
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    done = quarantine.undo(dataset, [NAMES[0]])
    assert len(done.restored) == 1
    assert kinds(done) == {NAMES[0]: "taken"}
    assert (dataset / NAMES[0]).read_bytes() == b"downloaded again"
    assert listed(dataset) == in_quarantine(dataset) == {f"quarantine/{NAMES[0]}"}


def test_undo_to_a_taken_place_leaves_both(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / NAMES[0]).write_bytes(b"mine")
    done = quarantine.undo(dataset)
    assert kinds(done) == {NAMES[0]: "taken"}
    assert (dataset / NAMES[0]).read_bytes() == b"mine"
    assert in_quarantine(dataset) == listed(dataset) == {f"quarantine/{NAMES[0]}"}


def test_a_name_taken_in_the_last_moment_is_not_overwritten(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = dataset / f"quarantine/{NAMES[0]}"
    before_links(monkeypatch, lambda: target.write_bytes(b"stranger"))
    done = quarantine.apply(dataset, judged(NAMES[0]), "faces")
    assert not done.moved
    assert target.read_bytes() == b"stranger"
    assert (dataset / NAMES[0]).read_bytes() == NAMES[0].encode()


def before_links(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    link = os.link

    def acting(*arguments: Any) -> None:
        act()
        link(*arguments)

    monkeypatch.setattr(os, "link", acting)


def test_a_picture_called_manifest_does_not_take_its_place(dataset: Path) -> None:
    (dataset / "manifest.csv").write_bytes(b"a picture, so it says")
    [moved] = quarantine.apply(dataset, judged("manifest.csv"), "integrity").moved
    assert moved.quarantine_path == "quarantine/manifest-2.csv"
    quarantine.undo(dataset)
    assert (dataset / "manifest.csv").read_bytes() == b"a picture, so it says"


# --- What may not move


@pytest.mark.parametrize(
    "path",
    [
        *("../out.jpg", "/etc/passwd", "images/../../out.jpg", "", "images//x", "./top.png"),
        *("x" * 300, r"\xff" * 300, r"\x2e\x2e/out.jpg", r"images\x2f..\x2f..\x2fout.jpg"),
        r"\x2fetc/passwd",
    ],
)
def test_a_path_that_leads_out_is_refused(dataset: Path, path: str) -> None:
    (dataset.parent / "out.jpg").write_bytes(b"not theirs")
    assert kinds(quarantine.apply(dataset, judged(path), "faces")) == {path: "refused"}
    assert (dataset.parent / "out.jpg").read_bytes() == b"not theirs"


def test_links_folders_and_the_quarantine_itself_are_refused(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / "link.jpg").symlink_to(dataset / NAMES[1])
    (dataset / "linked").symlink_to(dataset / "images")
    asked = ["link.jpg", "linked/Ada/2.jpg", "images", f"quarantine/{NAMES[0]}"]
    before = pictures(dataset)
    assert kinds(quarantine.apply(dataset, judged(*asked), "x")) == dict.fromkeys(asked, "refused")
    assert pictures(dataset) == before


def test_a_picture_that_is_gone_is_a_row_and_others_go_on(dataset: Path) -> None:
    (dataset / NAMES[0]).unlink()
    done = quarantine.apply(dataset, judged(*NAMES[:2]), "faces")
    assert kinds(done) == {NAMES[0]: "gone"}
    assert [row.image_path for row in done.moved] == [NAMES[1]]


def test_a_picture_that_has_changed_since_it_was_measured_stays(dataset: Path) -> None:
    sizes = [(dataset / name).stat().st_size for name in NAMES[:2]]
    times = [stamp(dataset, name) for name in NAMES[:2]]
    table = judged(*NAMES[:2], size_bytes=sizes, mtime_ns=times)
    (dataset / NAMES[0]).write_bytes(b"downloaded again")
    done = quarantine.apply(dataset, table, "faces")
    assert kinds(done) == {NAMES[0]: "changed"}
    assert [row.image_path for row in done.moved] == [NAMES[1]]


def test_a_picture_that_vanishes_in_the_last_moment_is_a_row(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_links(monkeypatch, lambda: (dataset / NAMES[0]).unlink(missing_ok=True))
    done = quarantine.apply(dataset, judged(NAMES[0], NAMES[1]), "faces")
    assert kinds(done) == {NAMES[0]: "gone"}
    assert listed(dataset) == in_quarantine(dataset) == {f"quarantine/{NAMES[1]}"}


def test_a_folder_where_a_file_stands_is_a_row(dataset: Path) -> None:
    (dataset / "quarantine").mkdir()
    (dataset / "quarantine/images").write_bytes(b"in the way")
    done = quarantine.apply(dataset, judged(NAMES[0]), "faces")
    assert not done.moved
    assert kinds(done)[NAMES[0]] in {"refused", "taken"}
    assert (dataset / NAMES[0]).exists()


def test_a_manifest_with_evil_paths_moves_nothing_out(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    edit_manifest(dataset, f"{NAMES[0]},quarantine", "../../evil.jpg,quarantine")
    assert kinds(quarantine.undo(dataset)) == {"../../evil.jpg": "refused"}
    edit_manifest(dataset, f"quarantine/{NAMES[0]}", "quarantine/../../evil.jpg")
    with pytest.raises(DatasetError, match="damaged"):
        quarantine.undo(dataset)


def test_a_manifest_of_a_stranger_deletes_nothing_outside(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    mine = dataset.parent / "mine.jpg"
    mine.write_bytes(NAMES[0].encode())  # as if the move from there had been cut in two
    edit_manifest(dataset, f"{NAMES[0]},quarantine", "../mine.jpg,quarantine")
    edit_manifest(dataset, ",aside,", ",leaving,")
    quarantine.recover(dataset)
    assert mine.exists()
    assert in_quarantine(dataset) == {f"quarantine/{NAMES[0]}"}


def test_a_link_in_quarantine_leads_nothing_out(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (dataset / "quarantine").mkdir()
    (dataset / "quarantine/images").symlink_to(tmp_path / "elsewhere")
    assert kinds(quarantine.apply(dataset, judged(NAMES[0]), "x")) == {NAMES[0]: "refused"}
    assert (dataset / NAMES[0]).exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def edit_manifest(dataset: Path, old: str, new: str) -> None:
    path = dataset / "quarantine/manifest.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\0\0\0"])
def test_a_damaged_manifest_is_an_error_and_put_away_all_comes_back(
    dataset: Path, text: str
) -> None:
    before = pictures(dataset)
    quarantine.apply(dataset, judged(*NAMES), "faces")
    path = dataset / "quarantine/manifest.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match="damaged"):
        quarantine.undo(dataset)
    path.unlink()
    done = quarantine.undo(dataset)
    assert set(kinds(done).values()) == {"found"}
    assert pictures(dataset) == before


def test_a_quarantine_that_is_a_link_is_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (dataset / "quarantine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="quarantine"):
        quarantine.apply(dataset, judged(NAMES[0]), "faces")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_two_at_once_are_one_too_many(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    with FileLock(dataset / "quarantine/.lock"):
        for act in (
            lambda: quarantine.apply(dataset, judged(NAMES[1]), "faces"),
            lambda: quarantine.undo(dataset),
            lambda: quarantine.recover(dataset),
        ):
            with pytest.raises(DatasetError, match="another process"):
                act()
        assert len(quarantine.manifest(dataset)) == 1


# --- A person's own hands


def test_a_file_deleted_in_quarantine_is_told_once_and_whenever_it_is_asked_for(
    dataset: Path,
) -> None:
    quarantine.apply(dataset, judged(*NAMES[:2]), "faces")
    (dataset / f"quarantine/{NAMES[0]}").unlink()
    assert [row.image_path for row in quarantine.manifest(dataset)] == [NAMES[1]]
    assert [trouble.kind for trouble in quarantine.recover(dataset)] == ["lost"]
    assert quarantine.recover(dataset) == ()
    done = quarantine.undo(dataset)
    assert kinds(done) == {NAMES[0]: "gone"}
    assert [row.image_path for row in done.restored] == [NAMES[1]]


def test_a_row_whose_file_is_nowhere_stays_and_takes_it_back(dataset: Path, tmp_path: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    place = dataset / f"quarantine/{NAMES[0]}"
    place.rename(tmp_path / "elsewhere")
    quarantine.recover(dataset)
    assert [(row["image_path"], row["state"]) for row in rows(dataset)] == [(NAMES[0], "lost")]
    (tmp_path / "elsewhere").rename(place)
    [back] = quarantine.undo(dataset).restored
    assert (back.image_path, back.by) == (NAMES[0], "faces")


def measured(dataset: Path, *names: str, sums: bool) -> pd.DataFrame:
    stats = [(dataset / name).stat() for name in names]
    table = judged(
        *names,
        size_bytes=[stat.st_size for stat in stats],
        mtime_ns=[stat.st_mtime_ns for stat in stats],
    )
    digests = [sha256((dataset / name).read_bytes()).hexdigest() for name in names]
    return table.assign(sha256=digests) if sums else table


@pytest.mark.parametrize("sums", [True, False])
def test_a_file_moved_within_quarantine_by_hand_goes_home(dataset: Path, sums: bool) -> None:
    before = pictures(dataset)
    quarantine.apply(dataset, measured(dataset, *NAMES[:3], sums=sums), "integrity")
    (dataset / "quarantine/sorted").mkdir()
    for n, name in enumerate(NAMES[:2]):
        (dataset / f"quarantine/{name}").rename(dataset / f"quarantine/sorted/{n}.jpg")
    assert listed(dataset) == in_quarantine(dataset)
    assert kinds(quarantine.undo(dataset)) == dict.fromkeys(NAMES[:2], "found")
    assert pictures(dataset) == before


def test_a_strange_file_of_another_content_takes_no_lost_row(dataset: Path) -> None:
    quarantine.apply(dataset, measured(dataset, NAMES[0], sums=True), "integrity")
    place = dataset / f"quarantine/{NAMES[0]}"
    size = place.stat().st_size
    place.unlink()
    (dataset / "quarantine/other.jpg").write_bytes(b"x" * size)
    quarantine.recover(dataset)
    states = {row["image_path"]: row["state"] for row in rows(dataset)}
    assert states == {NAMES[0]: "lost", "other.jpg": "aside"}


def test_a_file_brought_back_by_hand_is_told_and_stays(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / f"quarantine/{NAMES[0]}").rename(dataset / NAMES[0])
    [trouble] = quarantine.recover(dataset)
    assert (trouble.image_path, trouble.kind) == (NAMES[0], "back")
    assert rows(dataset) == []


def test_a_file_put_into_quarantine_by_hand_gets_a_row(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / NAMES[1]).rename(dataset / f"quarantine/{NAMES[1]}")
    assert listed(dataset) == in_quarantine(dataset)
    [trouble] = quarantine.recover(dataset)
    assert (trouble.image_path, trouble.kind) == (NAMES[1], "found")
    assert {row["image_path"] for row in rows(dataset)} == {NAMES[0], NAMES[1]}


def test_a_systems_hidden_file_is_no_picture(dataset: Path) -> None:
    quarantine.apply(dataset, judged(NAMES[0]), "faces")
    (dataset / "quarantine/.DS_Store").write_bytes(b"x")
    assert quarantine.recover(dataset) == ()


# --- A disk that is full, and disks of other kinds


def failing(kind: int) -> Callable[..., None]:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(kind, os.strerror(kind))

    return fail


def test_a_disk_full_from_the_start_moves_nothing(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pictures(dataset)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", failing(errno.ENOSPC))
        with pytest.raises(DatasetError, match="the disk takes no more"):
            quarantine.apply(dataset, judged(*NAMES), "faces")
    assert pictures(dataset) == before


def test_a_disk_full_on_the_way_keeps_what_has_moved(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, calls = os.link, Counter[str]()

    def full_at_the_third(*arguments: Any) -> None:
        calls["link"] += 1
        if calls["link"] >= 3:
            failing(errno.ENOSPC)()
        link(*arguments)

    monkeypatch.setattr(os, "link", full_at_the_third)
    with pytest.raises(DatasetError, match="nothing is lost"):
        quarantine.apply(dataset, judged(*NAMES), "faces")
    assert calls["link"] == 3
    assert listed(dataset) == in_quarantine(dataset)
    assert [row["state"] for row in rows(dataset)] == ["aside", "aside"]


@pytest.mark.parametrize("kind", [errno.EPERM, errno.ENOTSUP, errno.EXDEV])
def test_without_second_names_all_goes_there_and_back(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    before = {name: (data, stamp(dataset, name)) for name, data in pictures(dataset).items()}
    link = os.link

    def no_link(source: Path, target: Path) -> None:
        if kind != errno.EXDEV or source.suffix != ".moving":
            failing(kind)()
        link(source, target)

    monkeypatch.setattr(os, "link", no_link)
    assert len(quarantine.apply(dataset, judged(*NAMES), "faces").moved) == len(NAMES)
    assert listed(dataset) == in_quarantine(dataset)
    assert len(quarantine.undo(dataset).restored) == len(NAMES)
    after = {name: (data, stamp(dataset, name)) for name, data in pictures(dataset).items()}
    assert after == before


@pytest.mark.parametrize("kind", [errno.EPERM, errno.ENOTSUP])
def test_without_second_names_nothing_is_overwritten_either(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    target = dataset / f"quarantine/{NAMES[0]}"

    def stranger_first(*_arguments: object) -> None:
        target.write_bytes(b"stranger")
        failing(kind)()

    monkeypatch.setattr(os, "link", stranger_first)
    assert not quarantine.apply(dataset, judged(NAMES[0]), "faces").moved
    assert target.read_bytes() == b"stranger"
    assert (dataset / NAMES[0]).exists()


def test_a_picture_that_may_not_leave_its_folder_is_a_row(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path == dataset / NAMES[0]:
            failing(errno.EACCES)()
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    done = quarantine.apply(dataset, judged(*NAMES[:2]), "faces")
    assert kinds(done) == {NAMES[0]: "refused"}
    assert listed(dataset) == in_quarantine(dataset) == {f"quarantine/{NAMES[1]}"}
    assert (dataset / NAMES[0]).read_bytes() == NAMES[0].encode()


# --- Killed at any moment


class Killed(BaseException):
    pass


@contextmanager
def killed_before(step: int) -> Iterator[None]:
    """The process ends before its `step`-th change of the disk, and changes nothing after it."""
    left = [step]

    def mortal(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*arguments: Any, **options: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return act(*arguments, **options)

        return acting

    with pytest.MonkeyPatch.context() as patched, suppress(Killed):
        for place, name in (
            *((os, "link"), (Path, "unlink"), (Path, "rename"), (Path, "replace")),
            *((Path, "mkdir"), (Path, "rmdir"), (Path, "write_bytes")),
        ):
            patched.setattr(place, name, mortal(getattr(place, name)))
        yield


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["apply", "undo"]),
        st.sets(st.sampled_from(NAMES), min_size=1),
        st.integers(0, 30),
        st.booleans(),  # second names are known here
    ),
    max_size=6,
)


@settings(max_examples=150)
@given(acts=ACTS)
def test_whatever_is_killed_when_no_picture_is_lost_or_doubled(
    acts: list[tuple[str, set[str], int, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        dataset = made(Path(name) / "d")
        for act, names, step, links in acts:
            with pytest.MonkeyPatch.context() as patched:
                if not links:
                    patched.setattr(os, "link", failing(errno.EXDEV))
                with killed_before(step):
                    if act == "apply":
                        quarantine.apply(dataset, judged(*sorted(names)), "faces")
                    else:
                        quarantine.undo(dataset, sorted(names))
            assert {row.image_path for row in quarantine.manifest(dataset)} <= set(NAMES)
        quarantine.recover(dataset)
        there = Counter(pictures(dataset).values())
        assert there == Counter(name.encode() for name in NAMES)
        assert listed(dataset) == in_quarantine(dataset)
        quarantine.undo(dataset)
        assert pictures(dataset) == {name: name.encode() for name in NAMES}


def test_every_single_moment_of_a_kill_is_survived() -> None:
    for step in range(60):
        with tempfile.TemporaryDirectory() as name:
            dataset = made(Path(name) / "d")
            with killed_before(step):
                quarantine.apply(dataset, judged(*NAMES[:3]), "faces")
                quarantine.undo(dataset)
            quarantine.recover(dataset)
            assert Counter(pictures(dataset).values()) == Counter(n.encode() for n in NAMES)
            assert listed(dataset) == in_quarantine(dataset)
