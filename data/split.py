"""Which weeks and shoppers are for fitting, and which are kept for judging."""

from __future__ import annotations

import numpy as np

from bundlegym.data.base import Split
from bundlegym.data.earlier_run import Known
from bundlegym.errors import UserError

#: The least that a log must have after cleaning, so that each part of a split holds something.
LEAST = {"weeks": 4, "shoppers": 10, "items": 10, "visits": 100}


def check_size(name: str, **sizes: int) -> None:
    """Raise `UserError` where the log called `name` has less of anything than `LEAST`."""
    for what, size in sizes.items():
        if size < LEAST[what]:
            hint = "; a lower min_purchases keeps more items" if what == "items" else ""
            raise UserError(
                f"{name}: too small to split: {size} {what} are left after cleaning and selection, "
                f"at least {LEAST[what]} are needed{hint}"
            )


def split(
    n_weeks: int,
    n_shoppers: int,
    *,
    held_out_share: float = 0.2,
    test_share: float = 0.17,
    validation_share: float = 0.1,
    seed: int = 0,
    known: Known | None = None,
) -> Split:
    """Last weeks for test, those before for validation, the rest for training; some shoppers held out.

    Shares are rounded to whole weeks and shoppers, at least one each. Which shoppers are held out is a
    permutation seeded with `seed`.

    Args:
        known: an earlier split, which holds for its shoppers and its numbers of weeks kept; whether a shopper
            behind them is held out, a draw of their own says.

    Raises:
        UserError: a share is not between 0 and 1, nothing is left to train on, or the seed is below 0.
    """
    shares = {
        "held_out_share": held_out_share,
        "test_share": test_share,
        "validation_share": validation_share,
    }
    if seed < 0:
        raise UserError(f"split_seed must be at least 0, but is {seed}")
    for option, share in shares.items():
        if not 0 < share < 1:
            raise UserError(f"{option} must lie between 0 and 1, but is {share}")
    test, validation = (max(1, round(share * n_weeks)) for share in (test_share, validation_share))
    if known is not None:
        test, validation = known.test_weeks, known.validation_weeks
    train = n_weeks - test - validation
    if train < 1:
        raise UserError(
            f"test_share {test_share} and validation_share {validation_share} take {test} and {validation} "
            f"of {n_weeks} weeks and leave none to train on; make them smaller"
        )
    n_held_out = max(1, round(held_out_share * n_shoppers))
    if n_held_out >= n_shoppers:
        raise UserError(f"held_out_share {held_out_share} leaves none of {n_shoppers} shoppers to train on")
    held_out = np.zeros(n_shoppers, dtype=bool)
    if known is None:
        held_out[np.random.default_rng(seed).permutation(n_shoppers)[:n_held_out]] = True
    else:
        held_out[: len(known.held_out)] = known.held_out
        for shopper in range(len(known.held_out), n_shoppers):
            held_out[shopper] = np.random.default_rng((seed, shopper)).random() < held_out_share
    return Split(
        train_weeks=(0, train),
        validation_weeks=(train, train + validation),
        test_weeks=(train + validation, n_weeks),
        held_out=held_out,
    )
