"""How the tensors of a `ChoiceShopper` fit together, as `tables.fit_tensors` names them.

S shoppers, L shortlisted items, I items, W weeks, C categories, D departments, G subcategories, P products, K
sizes of trips, T traits, F classes of familiarity, Q rows of the tail (classes of shoppers by W weeks), M
remembered items, R missions, N campaigns, B classes of units of at most V.
"""

from __future__ import annotations

from bundlegym.user_models.choice.reference.exposure import RUNS
from bundlegym.user_models.components.basket_size import GAP_EDGES as TRIP_GAP_EDGES
from bundlegym.user_models.components.basket_size import GRID, LAST_EDGES
from bundlegym.user_models.components.incidence import DAY_EDGES, RATIO_EDGES
from bundlegym.user_models.components.marketing import GAP_EDGES
from bundlegym.user_models.parameters import Layout

_TRIPS, _GAPS = len(LAST_EDGES) + 1, len(TRIP_GAP_EDGES) + 1
_ONE = ("extra_slope", "units_alike", "frailty", "hazard_weekday", "hazard_level", "new_spread",
        "trial_habit", "coefficient_mailer", "tried_from")  # fmt: skip

LAYOUT = Layout(
    shapes={
        "shortlist": "S L",
        "shelf_price": "W I",
        "category": "I",
        "mission_spread": "C",
        "department_spread": f"{len(GRID)} D",
        "enough": "G",
        "follow": "P",
        "tail_attraction": "Q G+1",
        "memory_item": "M",
        "taste": "S L",
        "familiarity": "S L",
        "interval": "S L",
        "last": "W S L",
        "last_visit": "W S",
        "last_trip": "W S",
        "deal_factor": "S",
        "deal_class": "S",
        "price_push": "W I",
        "promotion_push": "W I",
        "rebate": "W I",
        "drift": "2 W I",
        "price_slope": "I",
        "group": "I",
        "group_category": "G+1",
        "category_department": "C",
        "tail_weight": "S G+1",
        "tail_start": "Q G+1",
        "tail_cdf": "Q I",
        "tail_item": "I",
        "product": "I",
        "product_start": "P+1",
        "memory_start": "S+1",
        "memory_cdf": "M",
        "log_within": "I",
        "leaning": "S T",
        "trait": "I T",
        "trait_range": "G 2 T",
        "leaning_total": "S G",
        "tried": "Y S H",
        "tried_left": "H",
        "tried_weight": "I",
        "coefficient_gap": f"F {len(GAP_EDGES) + 2}",
        "coefficient_promotion_answer": "F",
        "coefficient_new_gap": str(_GAPS),
        "mission_loading": "C R",
        "mission_scale": str(len(GRID)),
        "category_level": f"{len(GRID)} C",
        "group_level": f"{len(GRID)} G",
        "new_level": str(len(GRID)),
        "synergy": "C C",
        "campaign_member": "S N",
        "campaign_week": "W N",
        "coupon_push": "N I",
        "wear_out": str(RUNS),
        "trip_cdf": f"S {len(GRID)}",
        "trip_rate": f"S {len(GRID)}",
        "trip_gap": f"{_TRIPS} {_GAPS}",
        "usual_trip": "S",
        "visit_rate": "S",
        "weekday": "S 7",
        "again": "S",
        "irregular": "S",
        "hazard_own": "S",
        "hazard_day": f"{_TRIPS} {len(DAY_EDGES) + 1}",
        "hazard_ratio": str(len(RATIO_EDGES) + 1),
        "hazard_irregular": str(len(RATIO_EDGES) + 1),
        "extra_units": "I",
        "extra_factor": "S",
        "units_edges": "B",
        "units_cdf": "B+1 V",
        **dict.fromkeys(_ONE, "1"),
    },
    codes={
        "shortlist": (0, "I"),
        "familiarity": (0, "F"),
        "last_trip": (0, str(_TRIPS)),
        "deal_class": (0, "Q/W"),
        "category": (0, "C"),
        "group": (0, "G"),
        "group_category": (0, "C+1"),
        "category_department": (0, "D"),
        "tail_item": (0, "I"),
        "product": (0, "P"),
        "product_start": (0, "I+1"),
        "memory_item": (0, "I"),
        "memory_start": (0, "M"),
        "tried": (-1, "I"),
        "tried_from": (0, "W+1"),
    },
    ascending=("memory_start",),
    rising=("shortlist", "product_start"),
    with_error=("coupon_effect", "habit_share"),
)
