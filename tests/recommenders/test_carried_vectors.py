"""Whose vector an item of another catalogue gets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.recommenders.carried_vectors import carried_vectors


def test_the_same_item_then_its_category_then_all():
    known = pd.DataFrame({"item": [1, 2, 3], "category": ["tea", "tea", "soap"]})
    vectors = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 8.0]])
    items = pd.DataFrame(
        {"item": ["2", "9", "1", "3", "7"], "category": ["tea", "tea", "soap", "soap", "bread"]}
    )
    carried = carried_vectors(vectors, known, items)
    assert carried.dtype == np.float32
    assert np.allclose(carried, np.array([[3.0, 0.0], [2.0, 0.0], [0.0, 8.0], [0.0, 8.0], [4 / 3, 8 / 3]]))
