"""What the package's own errors have in common."""


class ModaError(Exception):
    """An error whose message says all: what is wrong, and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: a notebook's reader has no use for the stack."""
        return [str(self)]
