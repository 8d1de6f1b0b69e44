"""One line for each thing that is checked."""

from contextlib import contextmanager

from fido2.ctap import CtapError
from fido2.ctap1 import ApduError


class Checks:
    """Counts; a check that fails does not end the scenario, an exception does."""

    def __init__(self):
        self.scenario = ""
        self.passed = 0
        self.failed = 0

    def that(self, what, is_so, detail=""):
        if is_so:
            self.passed += 1
            print(f"ok    {self.scenario}: {what}")
        else:
            self.failed += 1
            print(f"FAIL  {self.scenario}: {what} {detail}")

    def equal(self, what, found, expected):
        self.that(what, found == expected, f"(found {found!r}, expected {expected!r})")

    @contextmanager
    def refused(self, what, *codes):
        """What stands inside is refused with one of these statuses, or status words of U2F."""
        try:
            yield
        except (CtapError, ApduError) as error:
            self.that(what, error.code in codes, f"(answered {error.code!r})")
        else:
            self.that(what, False, "(it was not refused)")

    def run(self, name, scenario):
        self.scenario = name
        try:
            scenario(self)
        except Exception as error:  # Whatever a client of others raises, the next scenario is still worth running.
            self.that("runs to its end", False, f"({type(error).__name__}: {error})")
