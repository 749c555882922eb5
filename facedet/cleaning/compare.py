"""Two cleaners side by side: who keeps what, how far they agree, what they cost, who is right."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from facedet.cleaning.truth import Score, Truth, score
from facedet.i18n import gettext as _

# The 2 x 2 picture: which of the two keep a picture.
Cell = Literal["both", "only_first", "only_second", "neither"]
CELLS: tuple[Cell, ...] = ("both", "only_first", "only_second", "neither")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two cleaners agree.

    Args:
        share: of the pictures with the same verdict, 0-1; NaN where there are none.
        kappa: Cohen's kappa: 1 for always, 0 for as often as by chance; NaN where chance alone
            would make them agree always. J. Cohen, *A Coefficient of Agreement for Nominal
            Scales*, 1960.
        sentence: what that means.
    """

    share: float
    kappa: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Yield:
    """What is left of one identity: its pictures, and how many of them each and both keep."""

    identity: str
    pictures: int
    kept_first: int
    kept_second: int
    kept_both: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cleaners on the pictures that both have judged.

    Args:
        names: of the cleaners, the first and the second.
        cells: for each cell its pictures, in the order of the first table.
        agreement: how far they agree.
        ms_per_picture: for each, the mean time to measure one; None where its table does not say.
        identities: what each leaves of whom, the one that loses most first.
        unmatched: for each, pictures that the other has not judged.
        scores: for each, how right it is; empty where no truth is known.
    """

    names: tuple[str, str]
    cells: Mapping[Cell, tuple[str, ...]]
    agreement: Agreement
    ms_per_picture: Mapping[str, float | None]
    identities: tuple[Yield, ...]
    unmatched: Mapping[str, tuple[str, ...]]
    scores: Mapping[str, Score] = field(default_factory=dict)

    @property
    def pictures(self) -> int:
        """How many both have judged."""
        return sum(map(len, self.cells.values()))


def folder_of(image_path: str) -> str:
    """Whose picture it is, as its folder is called."""
    return PurePosixPath(image_path).parent.name


def compare(
    tables: Mapping[str, pd.DataFrame],
    truth: Truth | None = None,
    identity_of: Callable[[str], str] = folder_of,
    can_say: Mapping[str, Collection[str]] | None = None,
) -> Comparison:
    """Put two cleaners side by side.

    Args:
        tables: two judged tables by the cleaners' names: ``verdict``, ``reason``, and perhaps
            ``by`` and ``seconds``; ``image_path`` is the index or a column.
        truth: what is known to be wrong.
        identity_of: whose picture a path is; default the name of its folder.
        can_say: all reasons that each cleaner may give; default: those that it gave.

    Raises:
        ValueError: there are not two tables.
    """
    (first, a), (second, b) = ((name, _by_path(table)) for name, table in tables.items())
    shared = a.index[a.index.isin(b.index)]
    kept_a = _kept(a, shared)
    kept_b = _kept(b, shared)
    paths = shared.to_numpy(dtype=object)
    scores = {
        name: score(table, truth, can_say.get(name) if can_say else None)
        for name, table in ((first, a), (second, b))
        if truth
    }
    return Comparison(
        names=(first, second),
        cells=_cells(paths, kept_a, kept_b),
        agreement=_agreement(kept_a, kept_b),
        ms_per_picture={first: _ms(a), second: _ms(b)},
        identities=_yields(paths, kept_a, kept_b, identity_of),
        unmatched={
            first: tuple(a.index[~a.index.isin(shared)]),
            second: tuple(b.index[~b.index.isin(shared)]),
        },
        scores=scores,
    )


def as_json(compared: Comparison) -> dict[str, Any]:
    """All of it as plain values; NaN becomes None."""
    first, second = compared.names
    kept_by = {"both": [first, second], "only_first": [first], "only_second": [second]}
    return {
        "cleaners": list(compared.names),
        "pictures": compared.pictures,
        "cells": [
            {"kept_by": kept_by.get(cell, []), "pictures": len(paths), "image_paths": list(paths)}
            for cell, paths in compared.cells.items()
        ],
        "agreement": {
            "share": _number(compared.agreement.share),
            "kappa": _number(compared.agreement.kappa),
            "sentence": compared.agreement.sentence,
        },
        "ms_per_picture": dict(compared.ms_per_picture),
        "identities": [
            {
                "identity": one.identity,
                "pictures": one.pictures,
                "kept": {first: one.kept_first, second: one.kept_second},
                "kept_by_both": one.kept_both,
            }
            for one in compared.identities
        ],
        "unmatched": {name: list(paths) for name, paths in compared.unmatched.items()},
        "truth": {name: asdict(one) for name, one in compared.scores.items()} or None,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


Bools = npt.NDArray[np.bool_]
Names = npt.NDArray[np.object_]


def _by_path(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("image_path") if "image_path" in table else table


def _kept(table: pd.DataFrame, paths: pd.Index) -> Bools:
    return (table["verdict"].reindex(paths) == "keep").to_numpy(dtype=bool)


def _cells(paths: Names, a: Bools, b: Bools) -> dict[Cell, tuple[str, ...]]:
    masks = (a & b, a & ~b, ~a & b, ~a & ~b)
    return {cell: tuple(paths[mask]) for cell, mask in zip(CELLS, masks, strict=True)}


def _agreement(a: Bools, b: Bools) -> Agreement:
    if not len(a):
        return Agreement(float("nan"), float("nan"), _("There is no picture that both judged."))
    share = float((a == b).mean())
    by_chance = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    if by_chance == 1:
        says = _("Both do the same with every picture, so there is nothing to tell them apart by.")
        return Agreement(share, float("nan"), says)
    kappa = (share - by_chance) / (1 - by_chance)
    says = _(
        "They agree on {n:,} of {total:,} pictures; by chance it would be about {chance:,.0f}. "
        "That is {words}."
    ).format(n=int((a == b).sum()), total=len(a), chance=by_chance * len(a), words=_in_words(kappa))
    return Agreement(share, kappa, says)


def _in_words(kappa: float) -> str:
    """Landis and Koch, *The Measurement of Observer Agreement for Categorical Data*, 1977."""
    for most, words in (
        (0.0, _("no agreement: they look for different things")),
        (0.2, _("hardly any agreement: they look for different things")),
        (0.4, _("some agreement: they share a part of what they look for")),
        (0.6, _("a moderate agreement: they share half of what they look for")),
        (0.8, _("a strong agreement: they find mostly the same")),
    ):
        if kappa <= most:
            return words
    return _("nearly full agreement: one could stand in for the other")


def _ms(table: pd.DataFrame) -> float | None:
    if "seconds" not in table:
        return None
    mean = float(table["seconds"].mean() * 1000)
    return None if np.isnan(mean) else mean


def _yields(
    paths: Names, a: Bools, b: Bools, identity_of: Callable[[str], str]
) -> tuple[Yield, ...]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for path, by_a, by_b in zip(paths, a.tolist(), b.tolist(), strict=True):
        mine = counts[identity_of(path)]
        for i, one in enumerate((True, by_a, by_b, by_a and by_b)):
            mine[i] += one
    yields = [Yield(who, *numbers) for who, numbers in counts.items()]
    return tuple(sorted(yields, key=lambda one: (one.kept_both / one.pictures, one.identity)))
