"""Every stream of draws there is, and what it is for. A twin has the same draws of the same streams.

Streams of different models may have one number: no shopper lives in two models at once.
"""

#: Models fitted to a log. Size of a trip; noise of each item's utility; missions; units of a line; whether
#: there is a visit later on the same day; days until the next visit; frailty of an episode.
SIZE, NOISE, MISSION, QUANTITY, SAME_DAY, WAIT, FRAILTY = range(7)
#: The long tail: when a purchase comes; its subcategory; its item; whether the item is kept.
TAIL, TAIL_SUBCATEGORY, TAIL_ITEM, TAIL_KEPT = range(7, 11)
#: Effect of a category on a trip; variants.
CATEGORY, VARIANT = 11, 14
#: Whether a trial leaves a habit; whether a substitute is still wanted; effects of a trip on what is new.
HABIT, SUBSTITUTION, EXPLORATION = range(15, 18)

#: `LookalikeShopper`: whose visit, which of these, and the noise of an item's utility.
DONOR, DONOR_VISIT, DONOR_VALUE = range(3)

#: The seed of the generator that a model of one shopper is given.
SINGLE = 50

#: Of the environment itself: which shopper, which first day, which candidates.
WHO, FIRST_DAY, RETRIEVAL = 100, 101, 102
