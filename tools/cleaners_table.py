"""How right each cleaner is on a practice set: ``python -m tools.cleaners_table [LINES]``.

Makes a set of so many lines, lays it out as a careless downloader leaves it, lets every cleaner of
the catalogue judge it, and prints recall by fault and precision by reason as Markdown: the tables
of ``docs/cleaners.md``.
"""

import sys
import tempfile
from pathlib import Path

from facedet.cleaning import catalogue, table
from facedet.cleaning.run import clean
from facedet.cleaning.truth import Score, Truth, read_truth, reasons_of, score
from facedet.practice.careless import lay_out
from facedet.practice.dataset import Options, make


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as name:
        dataset = Path(name) / "dataset"
        make(Path(name) / "set", Options(photos=lines))
        files = lay_out(Path(name) / "set", dataset)
        truth = read_truth(dataset / "truth.csv")
        costs = {one: _clean(dataset, one) for one in catalogue.CLEANERS}
        scores = {one: _score(dataset, one, truth) for one in catalogue.CLEANERS}
    print(f"{lines:,} lines of a practice set, {files:,} files, default thresholds.\n")
    _print_recall(scores)
    _print_precision(scores)
    told = ", ".join(f"{one} {ms:.1f} ms" for one, ms in costs.items())
    print(f"Measuring one picture: {told}.")


def _clean(dataset: Path, name: str) -> float:
    """Let one cleaner measure all; returns its time for a picture in ms."""
    return clean(dataset, catalogue.get(name)).ms_per_picture


def _score(dataset: Path, name: str, truth: Truth) -> Score:
    return score(table.judged(dataset, name), truth, reasons_of(catalogue.get(name)))


def _print_recall(scores: dict[str, Score]) -> None:
    print("| fault | pictures |", " | ".join(f"{name} finds" for name in scores), "|")
    print("|---|---|" + "---|" * len(scores))
    found = {name: {one.fault: one for one in score.faults} for name, score in scores.items()}
    faults = list(dict.fromkeys(fault for mine in found.values() for fault in mine))
    known = [
        fault
        for fault in faults
        if any(mine[fault].recall is not None for mine in found.values() if fault in mine)
    ]
    for fault in known:
        n = max(mine[fault].pictures for mine in found.values() if fault in mine)
        cells = (_share(mine[fault].recall) if fault in mine else "" for mine in found.values())
        print(f"| {fault} | {n} |", " | ".join(cells), "|")
    print()
    good = sum(one.pictures for one in next(iter(scores.values())).faults if one.fault not in known)
    alarms = {
        name: sum(w.mistake == "false_alarm" for w in score.wrong) for name, score in scores.items()
    }
    told = ", ".join(f"{name} {n}" for name, n in alarms.items())
    print(f"{good:,} pictures have nothing wrong with them. Pictures set aside wrongly: {told}.\n")


def _print_precision(scores: dict[str, Score]) -> None:
    names = list(dict.fromkeys(one.reason for score in scores.values() for one in score.reasons))
    print("| first reason |", " | ".join(f"{name}: right of all" for name in scores), "|")
    print("|---|" + "---|" * len(scores))
    for reason in names:
        cells = []
        for score_ in scores.values():
            mine = [one for one in score_.reasons if one.reason == reason]
            cells += [f"{one.precision:.2f} ({one.right} of {one.pictures})" for one in mine] or [
                ""
            ]
        print(f"| {reason} |", " | ".join(cells), "|")
    print()


def _share(recall: float | None) -> str:
    return "" if recall is None else f"{recall:.2f}"


if __name__ == "__main__":
    main()
