"""Streams of the core's own draws: which shopper, which first day, which candidates. A user model numbers its
own from 0."""

SHOPPER, START, RETRIEVAL = 100, 101, 102
