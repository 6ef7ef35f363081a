"""What an agent sees of a visit, by name; here is nothing that needs torch."""

from __future__ import annotations

EMBEDDING_SIZE = 8
CANDIDATE_FEATURES = (
    "log_share", "log_price", "rebate", "unit_margin", "margin_share", "display", "mailer", "bought_before",
    "overdue", "log_popularity", "lift", *(f"embedding_{i}" for i in range(EMBEDDING_SIZE)),
)  # fmt: skip
#: The one candidate feature that a pick changes: log lift after taste with the bundle so far.
LIFT = CANDIDATE_FEATURES.index("lift")
LOG_PRICE, UNIT_MARGIN = CANDIDATE_FEATURES.index("log_price"), CANDIDATE_FEATURES.index("unit_margin")
#: An action that leaves its slot as it is.
LEAVE = -1
#: Observations are clamped to plus and minus this, so that their space is bounded.
FEATURE_LIMIT = 20.0
CONTEXT_FEATURES = ("time_left", "bundle_size", "bundle_price", "bundle_margin", "bundle_lift")
#: Blocks of the observation unless others are asked for; `observations` has them all.
BLOCKS = ("shopper", "context", "candidates", "picked")
#: The block of the vectors that a recommender gives shoppers.
SHOPPER_EMBEDDING = "shopper_embedding"
