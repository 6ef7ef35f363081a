"""Scripts that print the figures of the documentation; a package, so that none of that name hides it."""
