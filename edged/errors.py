"""One class for each thing that the one who catches it does: stop, reopen, replace, refuse, ask the owner.

Every error carries a sentence for the owner (what was found, where) and a hint (what to do next). The CLI
prints both and leaves with ``exit_code``; no traceback ever reaches a user.
"""

from __future__ import annotations


class EdgedError(Exception):
    """Something the owner can act on.

    ``message`` says what was found and where; ``hint`` says the next step.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(EdgedError, ValueError):
    """The config (or a command's argument) is wrong: nothing starts. ``problems`` holds every one of them."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class RefusedError(EdgedError, ValueError):
    """A model or source that can never work as it is: do not retry until the owner has changed something."""

    exit_code = 3


class UnavailableError(EdgedError, OSError):
    """A device, file or delegate is not there now: close it, wait, open it again."""

    exit_code = 4


class EndOfSource(EdgedError, EOFError):
    """A recording was read to its end: stop the pipeline, keep its numbers."""

    exit_code = 0


class WallError(EdgedError):
    """A worker broke a rule of the wall: kill it and record that."""


class StoreError(EdgedError):
    """The store cannot be used: stop, lose nothing, tell the owner. Subclasses say why."""

    exit_code = 5


class KeyRefusedError(StoreError, PermissionError):
    """The key file is absent, malformed, or owned or readable by someone it must not be."""


class WrongKeyError(StoreError):
    """The key does not open this store."""


class NotEncryptedError(StoreError):
    """The file is a plain SQLite database: edged never writes into one."""


class DamagedError(StoreError):
    """A page of the store does not verify."""


class NewerSchemaError(StoreError):
    """The store was written by a newer edged."""


class ControlError(EdgedError, ConnectionError):
    """The daemon cannot be asked: it does not run, or not for this user."""

    exit_code = 6


class QuestionError(ControlError):
    """What the daemon is asked makes no sense: it is the command line, or a program's request, that is
    wrong.
    """

    exit_code = 2


def fault(error: Exception, where: str) -> EdgedError:
    """What a bug looks like to the owner: its kind and place, but never what it says.

    That could hold what was being computed with, and nothing raw may reach a log or cross the wall.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
    return EdgedError(f"a fault in {where}: {type(error).__name__}{place}", "please report it with this line")
