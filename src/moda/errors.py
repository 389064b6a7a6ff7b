"""The base of the package's own errors."""


class ModaError(Exception):
    """An error whose message is self-contained: what is wrong, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """The message alone in IPython: a notebook's reader has no use for the stack."""
        return [str(self)]
