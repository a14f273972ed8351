"""What a peer says that has no function for a problem."""

from autotune.errors import AutotuneError


class NotOfferedError(AutotuneError):
    """The peer has no function that computes this."""
