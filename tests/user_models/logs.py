"""Logs of one visit a shopper and week, for tests that draw them from known parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-01-01")


def weekly_lines(bought: list[tuple[np.ndarray, ...]], price: float = 2.0) -> pd.DataFrame:
    """Transactions of `bought`: shopper and item of each line, week by week."""
    shopper, item = np.concatenate(bought, axis=1)
    week = np.repeat(np.arange(len(bought)), [len(one[0]) for one in bought])
    return pd.DataFrame(
        {
            "shopper": shopper,
            "basket": shopper * len(bought) + week,
            "item": item,
            "time": START + pd.to_timedelta(7 * week + 2, unit="D"),
            "quantity": 1,
            "price_paid": price,
            "list_price": price,
        }
    )
