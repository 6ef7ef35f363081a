"""Hashes of a prepared log: equal ones mean the same shoppers, visits, purchases, items and prices."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from bundlegym.data.base import Dataset


def behaviour_digest(dataset: Dataset) -> bytes:
    """SHA-256 of what shoppers bought and what the shop asked and showed: what a user model is fitted to."""
    digest = hashlib.sha256()
    for table in (dataset.items, dataset.shoppers, dataset.visits, dataset.purchases):
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    for array in (dataset.list_price, dataset.shelf_price, dataset.display, dataset.mailer):
        digest.update(array.tobytes())
    if (campaigns := dataset.campaigns) is not None:
        digest.update(pd.util.hash_pandas_object(campaigns.table, index=False).to_numpy().tobytes())
        digest.update(campaigns.members.tobytes() + campaigns.items.tobytes())
    return digest.digest()


def fingerprint(dataset: Dataset) -> str:
    """16 hexadecimal digits of all that a result rests on: behaviour, dates, costs, vectors of the items, and
    who and when is held out."""
    split = dataset.split
    digest = hashlib.sha256(behaviour_digest(dataset))
    digest.update(dataset.unit_cost.tobytes() + split.held_out.tobytes() + dataset.start.isoformat().encode())
    digest.update(np.array([split.train_weeks, split.validation_weeks, split.test_weeks]).tobytes())
    for name, vectors in sorted(dataset.vectors.items()):
        digest.update(name.encode() + vectors.tobytes())
    return digest.hexdigest()[:16]
