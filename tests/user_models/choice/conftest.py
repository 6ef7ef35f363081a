"""A small fitted model that several tests of this folder share."""

from __future__ import annotations

import pytest

from bundlegym.user_models import ChoiceShopper


@pytest.fixture(scope="session")
def model_with_tail(dataset) -> ChoiceShopper:
    """With a shortlist that leaves some of the items to the tail."""
    return ChoiceShopper.fit(dataset, epochs=1, shortlist_size=40, progress=lambda _: None)
