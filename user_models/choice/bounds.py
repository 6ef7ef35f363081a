"""Bounds and conventions of a `ChoiceShopper` that both implementations share."""

from __future__ import annotations

#: At most so many purchases of the long tail a visit; reached once in thousands of visits.
SLOTS = 64
#: At most so many variants follow one purchase.
FOLLOWERS = 6
#: So many draws for a purchase of the tail may find no item to the shopper's attribute tastes; the last one
#: is taken as it is.
TRIES = 16
#: Draws from memory are so many times too frequent, and as many too few are kept; a stronger promotion is cut
#: to it.
THINNING = 4.0
#: Greatest pull of a basket on an item's log rate: few baskets tell how far it adds up.
MOST_PULL = 2.0
#: Days since the last visit of a shopper who has had none.
FIRST_GAP = 1_000
