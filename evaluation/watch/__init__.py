"""A page to watch simulated shoppers react to offers, visit by visit, on this machine.

`visits` lives an episode again up to a visit and answers what is asked; `history` and `explain` put a
shopper's past, and why an offer is taken or not, into figures and words; `server` speaks HTTP; `page.html` is
all that a browser sees.
"""
