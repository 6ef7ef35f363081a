"""Finds the sale that each return takes back."""

from __future__ import annotations

import numpy as np
import pandas as pd


def match_returns(lines: pd.DataFrame) -> np.ndarray:
    """(n,) bool, lines that were sold and came back, and their returns.

    A return (quantity below 0) belongs to the latest earlier sale of as many pieces of the item to the
    shopper that no other return has taken; first those at the same price, then those at any.
    """
    matched = np.zeros(len(lines), dtype=bool)
    back = (lines["quantity"] < 0).to_numpy()
    if not back.any():
        return matched
    # Only what some return could mean is looked at.
    keys = pd.MultiIndex.from_arrays([lines["shopper"], lines["item"]]).factorize()[0]
    concerned = np.isin(keys, np.unique(keys[back]))
    part = pd.DataFrame(
        {
            "row": np.flatnonzero(concerned),
            "key": keys[concerned],
            "size": lines["quantity"].abs().to_numpy()[concerned],
            "price": lines["price_paid"].to_numpy()[concerned].round(6),
            "time": lines["time"].to_numpy()[concerned],
            "back": back[concerned],
        }
    )
    for by in (["key", "size", "price"], ["key", "size"]):
        left = part[~matched[part["row"].to_numpy()]]
        matched[_pairs(left, by)] = True
    return matched


def _pairs(part: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Rows that pair up like brackets within groups of equal `by`: sales open, returns close."""
    part = part.sort_values([*by, "time", "back"], kind="stable")
    group = np.asarray(part.groupby(by, sort=False).ngroup())
    step = np.where(part["back"], -1, 1)
    depth = pd.Series(np.asarray(step)).groupby(group).cumsum()
    # A return with nothing open closes nothing: the depth counts from the lowest point so far.
    floor = np.minimum(depth.groupby(group).cummin().to_numpy(), 0)
    before = np.where(np.r_[True, group[1:] != group[:-1]], 0, np.r_[0, floor[:-1]])
    closes = (step < 0) & (floor == before)
    opens = step > 0
    level = (depth - floor).to_numpy() + (step < 0)
    frame = pd.DataFrame({"group": group, "level": level, "opens": opens, "row": part["row"].to_numpy()})
    frame = frame[opens | closes]
    frame["order"] = np.arange(len(frame))
    frame = frame.sort_values(["group", "level", "order"])
    same = (frame[["group", "level"]].to_numpy()[1:] == frame[["group", "level"]].to_numpy()[:-1]).all(axis=1)
    opened = frame["opens"].to_numpy()
    pair = same & opened[:-1] & ~opened[1:]
    rows = frame["row"].to_numpy()
    return np.concatenate([rows[:-1][pair], rows[1:][pair]])
