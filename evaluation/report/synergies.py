"""Categories that belong together: what the log shows of them, and what the shoppers make of it."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset
from bundlegym.evaluation.report.document import Paragraph, Part, Section, Table
from bundlegym.evaluation.report.words import from_log, number
from bundlegym.recommenders import PersonalFrequency
from bundlegym.recommenders.copurchase import category_pairs
from bundlegym.user_models import ChoiceShopper, UserModel

_COUNT = 10
#: Pairs of lines that the log must hold, seen or expected, for a pair to be shown.
_LEAST = 20.0


def synergies_section(dataset: Dataset, model: UserModel) -> Section:
    """The pairs of different categories whose synergy is greatest.

    Of a `ChoiceShopper` by what it fitted; of others by the log alone, since they show none.
    """
    fitted = model.params if isinstance(model, ChoiceShopper) else None
    codes = None if fitted is None else fitted.catalogue.category.cpu().numpy()
    weeks = dataset.split.train_weeks
    taste = PersonalFrequency.fit(dataset, weeks, category=codes)
    observed, expected = category_pairs(dataset, taste, weeks)
    ratio = observed / np.maximum(expected, 1e-9)
    synergy = np.log(np.maximum(ratio, 1e-9))
    if fitted is not None:
        synergy = fitted.complementarity.synergy.cpu().numpy()
    synergy = (synergy + synergy.T) / 2
    one, other = np.triu_indices(len(synergy), 1)
    enough = np.maximum(observed, expected)[one, other] >= _LEAST
    one, other = one[enough], other[enough]
    top = np.argsort(-synergy[one, other], kind="stable")[:_COUNT]
    names = category_names(dataset, taste.category)
    rows = []
    for a, b in zip(one[top], other[top], strict=True):
        cells = [
            f"{names[a]} + {names[b]}",
            f"{observed[a, b]:,.0f}",
            f"{expected[a, b]:,.0f}",
            f"{number(ratio[a, b])}\N{NO-BREAK SPACE}×",
        ]
        if fitted is not None:
            cells.append(f"{number(float(np.exp(synergy[a, b])))}\N{NO-BREAK SPACE}×")
        rows.append(cells)
    if not rows:
        return Section(
            "pairs", "What belongs together", [Paragraph("The log is too small to show pairs of categories.")]
        )
    columns = ["Categories", "Bought together", "Expected by taste", "Ratio"]
    parts: list[Part] = [
        Paragraph(
            "Pairs of categories that stand in one basket more often than the tastes of each shopper and the"
            f" sizes of their baskets explain; counts are pairs of purchases in the {weeks[1] - weeks[0]}"
            " training weeks."
        )
    ]
    if fitted is not None:
        columns.append("Pull of one on the other")
        k, error = (float(x) for x in fitted.complementarity.synergy_share)
        parts.append(
            Paragraph(
                "Much of that is a common errand: both would be bought anyway. What promotions of one do to"
                f" the other tells the two apart: {k:.0%} (standard error {error:.0%}) of it is estimated to"
                " be one item that sells the other. The last column holds what the simulated shoppers make"
                " of it, drawn toward nothing where the log says little."
                if np.isfinite(error)
                else (
                    "The log does not tell whether one sells the other or both are bought on one errand: the "
                    "simulated shoppers hardly know such a pull."
                )
            )
        )
    return Section("pairs", "What belongs together", [*parts, Table(columns, rows, compact=True)])


def category_names(dataset: Dataset, category: np.ndarray) -> list[str]:
    """What to call each code of `category` (n_items,): its subcategory too where the code is only one of
    several in the catalogue's category."""
    items = dataset.items.assign(code=category)
    several = items.groupby("category")["code"].transform("nunique") > 1
    single = items.groupby("code")["subcategory"].transform("nunique") == 1
    told = items["category"].astype(str)
    told = told.where(~(several & single), told + ", " + items["subcategory"].astype(str))
    first = told.groupby(items["code"]).agg(lambda names: names.value_counts().index[0])
    return [from_log(first[code]) or "(no category)" for code in range(int(category.max()) + 1)]
