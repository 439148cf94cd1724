"""The numbers that stand for series in the tables of buckets."""

from __future__ import annotations

from collections.abc import Sequence

from edged.errors import StoreError
from edged.nouns import Series
from edged.series import counted
from edged.store import schema
from edged.store.database import Database


class Catalogue:
    """Series and their numbers, as far as they are known here; the writer adds to both sides at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.by_number: dict[int, Series] = {}
        self._numbers: dict[Series, int] = {}
        self._coverage: dict[str, dict[str, int]] = {}
        self._counting: dict[tuple[Series, ...], int] = {}
        #: What a counted series' rows are of: the series itself and the bin.
        self.parts: dict[int, tuple[Series, int]] = {}
        #: The series of each set that were counted together.
        self.sets: dict[int, tuple[Series, ...]] = {}

    def load(self) -> None:
        """Read them all: at the start, and after a transaction failed that may have added some."""
        found = self._database.rows("SELECT id, pipeline, measure, label, zone, unit FROM series ORDER BY id")
        self.by_number = {number: Series(*names) for number, *names in found}
        self._numbers = {series: number for number, series in self.by_number.items()}
        self._coverage.clear()
        self._counting.clear()
        self.parts.clear()
        self.sets.clear()
        for number in self.by_number:
            self._understand(number)

    def follow(self) -> None:
        """Read them anew if there are more: names are only ever added."""
        newest = self._database.value("SELECT max(id) FROM series")
        if (-1 if newest is None else newest) != self._newest:
            self.load()

    @property
    def _newest(self) -> int:
        """The highest number; where a damaged store was salvaged, some below it may be lost."""
        return next(reversed(self.by_number), -1)

    def _understand(self, number: int) -> None:
        """What a stored series is of. Of a set, a series whose name was lost is left out."""
        one = self.by_number[number]
        if one.measure == "coverage":
            if one.label == schema.COUNTING:
                known = map(self.by_number.get, schema.told_numbers(one.zone))
                self.sets[number] = tuple(each for each in known if each is not None)
            return
        series, bin = schema.parted(one)
        if bin or counted(series):
            self.parts[number] = (series, bin)

    @property
    def named(self) -> dict[int, Series]:
        """All but coverage, by number, each once."""
        return {
            number: one
            for number, one in self.by_number.items()
            if one.measure != "coverage" and (number not in self.parts or not self.parts[number][1])
        }

    def number(self, series: Series) -> int:
        """The number of a series, a new one for a new series. Within a transaction."""
        known = self._numbers.get(series)
        if known is not None:
            return known
        number = self._newest + 1
        if number >= schema.MOST_SERIES:
            raise StoreError(
                f"{self._database.path} holds {number} series, and no more fit",
                "begin a new store: name another [store] file",
            )
        values = (*(getattr(series, one) for one in series.__struct_fields__), schema.scale_of(series))
        self._database.write("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *values))
        self.by_number[number], self._numbers[series] = series, number
        self._understand(number)
        return number

    def counting(self, pipeline: str, series: tuple[Series, ...]) -> int:
        """The number of the set of a pipeline's counted ``series``. Within a transaction."""
        if series not in self._counting:
            zone = schema.numbers_told([self.number(one) for one in series])
            self._counting[series] = self.number(Series(pipeline, "coverage", schema.COUNTING, zone, "s"))
        return self._counting[series]

    def coverage(self, pipeline: str) -> dict[str, int]:
        """The numbers of a pipeline's coverage, by label."""
        if pipeline not in self._coverage:
            self._coverage[pipeline] = {
                label: self.number(Series(pipeline, "coverage", label, "", unit))
                for label, unit in schema.COVERAGE.items()
            }
        return self._coverage[pipeline]

    def rungs(self, pipeline: str, ladder: Sequence[str], many: int) -> list[int]:
        """The numbers of the series of a pipeline's first ``many`` rungs; ``ladder`` names their models as
        far as they are known. Within a transaction.
        """
        names = (*ladder, *[""] * many)[:many]
        return [
            self.number(Series(pipeline, "coverage", f"{schema.RUNG}{rung}", name, "s"))
            for rung, name in enumerate(names)
        ]

    def dearest(self, pipeline: str) -> str:
        """The model that is known as the pipeline's rung 0; "" where none or several have been."""
        label = f"{schema.RUNG}0"
        named = {one.zone for one in self._numbers if (one.pipeline, one.label) == (pipeline, label)}
        return named.pop() if len(named) == 1 else ""
