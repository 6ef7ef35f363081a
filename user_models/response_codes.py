"""What a shopper may do with an offer, as numbers."""

IGNORE, CHERRY_PICK, TAKE = 0, 1, 2
