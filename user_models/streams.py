"""Streams of a `ChoiceShopper`'s draws: what each is for."""

TRIP, NOISE, MISSION, UNITS, AGAIN, WAIT, FRAILTY, TAIL, TAIL_GROUP, TAIL_ITEM, TAIL_KEPT, CATEGORY = range(
    12
)
