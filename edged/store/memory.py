"""What the file remembers about its own tables (``meta``): how far they are made, from when on they are
whole, whose days.
"""

from __future__ import annotations

from edged.store.database import Database
from edged.store.schema import LEVELS, Level


class Memory:
    """The table ``meta``. Setters belong into a transaction; after one failed, ``load`` again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._values: dict[str, str] = {}

    def load(self) -> None:
        """Read all of it."""
        self._values = dict(self._database.rows("SELECT name, value FROM meta"))

    def _set(self, name: str, value: str) -> None:
        self._database.write("REPLACE INTO meta VALUES (?, ?)", (name, value))
        self._values[name] = value

    @property
    def finest(self) -> Level | None:
        """The table that buckets are entered in; None in a new store."""
        name = self._values.get("finest")
        return next((level for level in LEVELS if level.name == name), None)

    def set_finest(self, level: Level) -> None:
        """From now on buckets are entered in ``level``."""
        self._set("finest", level.name)

    @property
    def zone(self) -> str:
        """The zone whose days were made; "" in a new store."""
        return self._values.get("zone", "")

    def set_zone(self, zone: str) -> None:
        """From now on days of ``zone`` are made."""
        self._set("zone", zone)

    def mark(self, level: Level) -> int:
        """What the finer table holds from before this is in ``level`` (epoch seconds)."""
        return int(self._values.get(f"mark {level.name}", 0))

    def set_mark(self, level: Level, until: int) -> None:
        """``level`` is made up to ``until``."""
        self._set(f"mark {level.name}", str(until))

    def since(self, level: Level) -> int:
        """From when on ``level`` lacks nothing that is known (epoch seconds); -1 when nobody said."""
        return int(self._values.get(f"since {level.name}", -1))

    def set_since(self, level: Level, time: int) -> None:
        """What is older than ``time`` was dropped from ``level``."""
        self._set(f"since {level.name}", str(time))
