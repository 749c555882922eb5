"""From an archive to an index on disk, with an account of every line."""

import csv
from dataclasses import dataclass
from pathlib import Path

from facedet.files import replaced_atomically
from facedet.labels.table import no_formula
from facedet.vggface.archive import Finding, Tick, label_files
from facedet.vggface.columns import read_blocks
from facedet.vggface.store import Account, build

MOST_SHOWN = 20
FINDING_COLUMNS = ("file", "line", "kind", "reason")


@dataclass(frozen=True, slots=True)
class Made:
    """What `make_index` did: the account, where all findings stand, and the first few of them."""

    account: Account
    findings_path: Path
    first: tuple[Finding, ...]


def findings_path(store: Path) -> Path:
    """The table of findings beside an index."""
    return store.with_name(f"{store.stem}.findings.csv")


def make_index(source: Path, store: Path, tick: Tick = lambda _done, _total: None) -> Made:
    """Read every line of an archive or folder into the store at `store`.

    All findings go to a CSV beside it, `findings_path`: there may be as many as lines.

    Raises:
        DatasetError: as `archive.label_files`.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    first: list[Finding] = []
    with (
        replaced_atomically(findings_path(store)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(FINDING_COLUMNS)

        def note(finding: Finding) -> None:
            cells = (finding.file, finding.kind, finding.reason)
            name, kind, reason = (no_formula(cell) for cell in cells)
            rows.writerow((name, finding.line, kind, reason))
            if len(first) < MOST_SHOWN:
                first.append(finding)

        account = build(read_blocks(label_files(source, tick=tick)), store, note)
    return Made(account, findings_path(store), tuple(first))
