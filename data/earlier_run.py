"""What an earlier run has decided of a log that is longer now: codes, who is held out, weeks for judging."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bundlegym.data.base import Dataset
from bundlegym.data.sealed import read_sealed_json, write_sealed_json
from bundlegym.errors import UserError


@dataclass(frozen=True)
class Known:
    """Ids in the order of their codes.

    Attributes:
        items, shoppers: (n,) ids of the log.
        held_out: (n,) bool, by shopper.
        validation_weeks, test_weeks: how many weeks are kept for each.
    """

    items: np.ndarray
    shoppers: np.ndarray
    held_out: np.ndarray
    validation_weeks: int
    test_weeks: int

    @staticmethod
    def of(dataset: Dataset) -> Known:
        """Those of a prepared log."""
        split = dataset.split
        return Known(
            items=dataset.items["item"].to_numpy(dtype=object),
            shoppers=dataset.shoppers["shopper"].to_numpy(dtype=object),
            held_out=split.held_out,
            validation_weeks=split.validation_weeks[1] - split.validation_weeks[0],
            test_weeks=split.test_weeks[1] - split.test_weeks[0],
        )

    def save(self, path: Path) -> None:
        """Write one sealed JSON file."""
        lists = {name: getattr(self, name).tolist() for name in ("items", "shoppers", "held_out")}
        write_sealed_json(path, vars(self) | lists)

    @staticmethod
    def load(path: Path) -> Known:
        """What `save` wrote.

        Raises:
            UserError: it cannot be read, or is damaged.
        """
        try:
            content = read_sealed_json(path)
            known = Known(
                items=np.array(content["items"], dtype=object),
                shoppers=np.array(content["shoppers"], dtype=object),
                held_out=np.array(content["held_out"], dtype=bool),
                validation_weeks=int(content["validation_weeks"]),
                test_weeks=int(content["test_weeks"]),
            )
        except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise UserError(f"{path}: no readable list of known items and shoppers ({error})") from error
        if len(known.held_out) != len(known.shoppers):
            raise UserError(f"{path}: damaged, it does not say of each shopper whether they are held out")
        return known


def check_known(log: str, known: Known, lines: pd.DataFrame) -> None:
    """Raise `UserError` where `lines`, cleaned ones of the log of that name, lack a known item."""
    gone = known.items[~np.isin(known.items, lines["item"].unique().astype(object))]
    if len(gone):
        raise UserError(
            f"{log}: {len(gone):,} items that the run knows have no line left, the first is '{gone[0]}'; "
            "its log has changed, and the run must be made anew"
        )


def known_first(found: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Ids `known` in their order, then the others of `found` in theirs."""
    return np.concatenate([known, found[~np.isin(found.astype(object), known)]])
