"""The one exception for bad input. The command line shows its message alone and exits with 2."""


class InputError(ValueError):
    """Something the user gave cannot be used. The message names the thing, the value and the fix."""
