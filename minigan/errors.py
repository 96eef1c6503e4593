"""What goes wrong outside the package. The command line shows the message alone and exits with 2."""


class InputError(ValueError):
    """Something the user gave cannot be used. The message names the thing, the value and the fix."""


class DivergenceError(InputError):
    """The run has come to NaN or infinity. The message says where it began and where the state before is."""
