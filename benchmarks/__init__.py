"""Scripts that print the figures of the documentation; a package, lest an installed one of its name hide it."""
