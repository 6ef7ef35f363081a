"""Networks over the graphs of a log: who bought what, and what was bought together."""
