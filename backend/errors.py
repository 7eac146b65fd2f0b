"""The error tree. Use-cases raise these; only pages, routes and the command line show them.

    TouchstoneError                 message: a sentence for the person, saying what to do
    ├── InvalidInput                what was given cannot be taken
    │   └── UnreadableFile          a file that cannot be read at all
    ├── NotSignedIn                 nobody is signed in, or the session has ended
    ├── Forbidden                   this actor may not do that
    ├── NotFound                    there is no such thing, or not in this project
    ├── Conflict                    the thing changed meanwhile
    │   ├── StaleRevision           both texts are carried along
    │   ├── LeaseLost               the lease expired or went to somebody else
    │   └── AlreadyDone             this was done before
    ├── TooManyAttempts             wait, then try again
    ├── NotReady                    a step that must come first has not happened
    ├── ServiceUnavailable          the engine, database or disk did not answer
    └── IntegrityViolated           stored data contradicts itself (a broken audit chain, a changed snapshot)

Messages never carry secrets, traces or SQL. Not promised: that other exceptions (bugs) have a useful message; pages
show those as a notice with an id, and the log has the trace under that id.
"""

from __future__ import annotations


class TouchstoneError(Exception):
    """Root of the tree. `message` is a whole sentence for the person who caused it."""

    status = 400
    """The HTTP status that routes answer with."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(TouchstoneError):
    """What was given cannot be taken; the message says why and what would do."""

    status = 422


class UnreadableFile(InvalidInput):
    """A file that cannot be read at all."""


class NotSignedIn(TouchstoneError):
    """Nobody is signed in, or the session has ended."""

    status = 401


class Forbidden(TouchstoneError):
    """The policy says no."""

    status = 403


class NotFound(TouchstoneError):
    """There is no such thing, or not where this actor may look."""

    status = 404


class Conflict(TouchstoneError):
    """The thing changed since it was read."""

    status = 409


class StaleRevision(Conflict):
    """An edit was based on a revision that is no longer the newest. Nothing was saved; both texts are here.

    `theirs` is the newest stored text, `yours` the one that was refused, `newest` the number to base on next.
    """

    def __init__(self, message: str, *, theirs: str, yours: str, newest: int) -> None:
        super().__init__(message)
        self.theirs = theirs
        self.yours = yours
        self.newest = newest


class LeaseLost(Conflict):
    """The lease on an item expired, was given back, or its fencing token is old."""


class AlreadyDone(Conflict):
    """The same thing was done before; nothing was done twice."""


class TooManyAttempts(TouchstoneError):
    """Too many tries in a short time. `retry_after` is in seconds."""

    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReady(TouchstoneError):
    """A step that must come first has not happened."""

    status = 409


class ServiceUnavailable(TouchstoneError):
    """Something this needs (engine, database, disk) did not answer. Trying again later may work."""

    status = 503


class IntegrityViolated(TouchstoneError):
    """Stored data contradicts itself."""

    status = 500
