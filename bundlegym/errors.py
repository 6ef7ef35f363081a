"""The one error that a user of bundlegym is meant to read."""


class UserError(Exception):
    """Something in the user's input (a file, a column, an option) is wrong.

    The message names what is wrong and what would be right; the scripts print it as one line and exit
    with code 2.
    """
