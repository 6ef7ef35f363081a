"""Streams of the draws of models that are fitted to a log: what each is for."""

TRIP, NOISE, MISSION, UNITS, AGAIN, WAIT, FRAILTY = range(7)
TAIL, TAIL_GROUP, TAIL_ITEM, TAIL_KEPT, CATEGORY, ALIKE, GROUP_UNITS, FLAVOUR = range(7, 15)
TRIAL, ENOUGH, NOVELTY, DEPARTMENT = range(15, 19)
