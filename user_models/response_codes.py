"""What a shopper may do with an offer, as numbers, and how much of anything an answer may hold."""

IGNORE, CHERRY_PICK, TAKE = 0, 1, 2

#: Units of an item at a visit, the price of one, and days until the next visit: beyond any shop's, yet
#: nothing overflows.
MOST_UNITS, MOST_PRICE, MOST_DAYS = 1_000_000, 1e12, 100_000
