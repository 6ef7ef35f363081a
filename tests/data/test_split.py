import numpy as np
import pytest

from bundlegym.data import split
from bundlegym.data.split import check_size
from bundlegym.errors import UserError


def test_default_shares_of_a_year() -> None:
    parts = split(53, 1000)
    assert (parts.train_weeks, parts.validation_weeks, parts.test_weeks) == ((0, 39), (39, 44), (44, 53))
    assert parts.held_out.sum() == 200


@pytest.mark.parametrize("n_weeks", range(4, 60))
def test_weeks_are_disjoint_and_complete(n_weeks: int) -> None:
    parts = split(n_weeks, 10)
    ranges = (parts.train_weeks, parts.validation_weeks, parts.test_weeks)
    assert [week for first, past in ranges for week in range(first, past)] == list(range(n_weeks))
    assert all(first < past for first, past in ranges)


def test_held_out_shoppers_depend_on_the_seed_alone() -> None:
    first, again, other = (split(20, 100, seed=seed).held_out for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("option", ["held_out_share", "test_share", "validation_share"])
@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 20])
def test_shares_out_of_range_are_refused(option: str, share: float) -> None:
    with pytest.raises(UserError, match=f"{option} must lie between 0 and 1"):
        split(20, 100, **{option: share})  # type: ignore[arg-type]


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="leave none to train on"):
        split(20, 100, test_share=0.6, validation_share=0.5)
    with pytest.raises(UserError, match="held_out_share 0.99 leaves none of 10 shoppers"):
        split(20, 10, held_out_share=0.99)


def test_too_small_logs_are_told_the_least() -> None:
    with pytest.raises(UserError, match=r"shop: too small to split: 3 weeks are left .* at least 4"):
        check_size("shop", weeks=3, shoppers=100, items=100, visits=1000)
    with pytest.raises(UserError, match=r"2 items .* lower min_purchases"):
        check_size("shop", weeks=30, shoppers=100, items=2, visits=1000)
