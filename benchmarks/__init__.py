"""Scripts that print the figures of the documentation; a package, so that no installed one of this name hides them."""
