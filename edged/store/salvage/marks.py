"""What a store remembers about its tables, made again from the tables where it was lost."""

from __future__ import annotations

import datetime
from itertools import pairwise

from edged.clock import zone as named_zone
from edged.nouns import Series
from edged.store import schema
from edged.store.calendar import Calendar
from edged.store.database import Database
from edged.store.memory import Memory
from edged.store.schema import SERIES_BITS, Level


def scale(pipeline: str, measure: str, label: str, zone: str, unit: str) -> int:
    """What the numbers of such a series are multiplied by."""
    return schema.scale_of(Series(pipeline, measure, label, zone, unit))


def since(database: Database, name: str) -> int:
    """The lowest key that a table may have: what was before was dropped by age, and must not come back."""
    found = database.value("SELECT value FROM meta WHERE name = ?", (f"since {name}",))
    return 0 if found is None else schema.key_of(int(found))


def mend(database: Database, zone: datetime.tzinfo) -> None:
    """Fill in what is missing: how far each table is made, from when on it is whole. ``zone`` is whose days
    they are if that is lost as well.

    A coarser table counts as made up to its newest bucket: what is behind it is made of the finer one, and
    nothing twice.
    """
    memory = Memory(database)
    memory.load()
    calendar = Calendar(named_zone(memory.zone) if memory.zone else zone)
    filled = [one for one in schema.LEVELS if _newest(database, one)]
    with database.transaction():
        if memory.finest is None and filled:
            memory.set_finest(filled[0])
        for finer, coarser in pairwise(schema.LEVELS):
            if not memory.mark(coarser) and finer in filled and coarser in filled:
                memory.set_mark(coarser, calendar.after(_newest(database, coarser), coarser.width))
        for level in filled:
            if memory.since(level) < 0:
                memory.set_since(level, _begin(database, level))


def _begin(database: Database, level: Level) -> int:
    return int(database.value(f"SELECT min(key) FROM {level.name}") or 0) >> SERIES_BITS


def _newest(database: Database, level: Level) -> int:
    """Where the newest bucket begins; 0 when there is none."""
    return int(database.value(f"SELECT max(key) FROM {level.name}") or 0) >> SERIES_BITS
