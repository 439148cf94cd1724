"""How much a worker that was taken over could say by lies that keep every rule: counted, not estimated.

``python -m edged.covert`` prints the table of docs/security.md. Nothing of it runs in the daemon.

A tick is one of so many that the inspector lets pass; ``ticks`` counts those of a length. Sequences of them
are bounded twice, by messages a second and by seconds a second, so for any weight w >= 0 of a second

    capacity <= messages a second x log2(sum over lengths s of ticks(s) x 2^(-w s)) + w   [bits/s]

and the best w gives the least bound (the argument of Chernoff's inequality; for w alone it is Shannon's
capacity of a channel whose signs take different times, 1948). A liar who wants to stay unnoticed has less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

from edged import amounts, inspector, journal, lender, rounding, series, view, vocabulary
from edged.config import shape
from edged.store.schema import COVERAGE_SCALE, SCALES

LONGEST: Final = 60.0  # seconds; longer ticks are possible, and say less a second
MINUTE: Final = 60.0
_TICKS: Final = math.ceil(MINUTE * inspector.LIVE_RATE)
TROUBLE_CHARACTERS: Final = 2 * 400  # of a message and its hint
#: As units: what is counted, without and with a number for each event.
EVENT: Final = "an event"
NUMBER: Final = "an event with a number"
_COUNTED: Final = (EVENT, NUMBER)
#: None, or one of those that a live source can have (``inspector`` lets no other pass): the most there are.
SIGHTS: Final = 1 + max(map(len, (shape.OF_PICTURES, shape.OF_SOUND, view.OF_LINES)))
_POWERS: Final = amounts.MOST_PARTS.bit_length()
STAMP: Final = 1500  # bytes: a JPEG the size of a stamp


def kinds() -> dict[str, str]:
    """Every unit there is, and which kinds of measures are of it."""
    of: dict[str, list[str]] = {}
    for kind, unit in (series.UNITS | {"level": ""}).items():
        counted = NUMBER if kind in series.DISTRIBUTED else EVENT
        of.setdefault(counted if kind in series.COUNTED else unit, []).append(kind)
    return {
        unit: " or ".join((", ".join(names[:-1]), names[-1])).removeprefix(" or ")
        for unit, names in of.items()
    }


def grid(unit: str) -> list[float]:
    """All values that an extreme of this unit may have, in order."""
    found, value = [0.0], 0.0
    while value < rounding.largest(unit):
        value = rounding.above(math.nextafter(value, math.inf), unit)
        found.append(value)
    return found if unit in rounding.LARGEST_VALUE else [*(-one for one in reversed(found[1:])), *found]


@cache
def entries(unit: str) -> int:
    """How many different entries of one second a series of this unit may have."""
    values = grid(unit)
    count = len(values)
    pairs = count * (count - 1) // 2
    of_two = sum(two - one == 1.0 for one, two in pairwise(values)) if unit in ("share", "count") else 0
    sums, squares = rounding.PLACES + 1, rounding.SQUARE_PLACES + 1
    return count + of_two * sums + (pairs - of_two) * sums * squares


def happened(units: Sequence[str]) -> float:
    """The binary logarithm of how many different amounts a tick may have: of each series so many events or
    fewer; of all of them so many that have a number, of some bins, in no order, and a few estimates, each a
    power of two.
    """
    places = 2 * sum(unit in _COUNTED or unit in ("count", "share") for unit in units)
    chosen = (math.comb(places, few) * _POWERS**few for few in range(amounts.MOST_ESTIMATES + 1))
    return _events(units) + math.log2(sum(chosen))


def _events(units: Sequence[str], ticks: int = 1) -> float:
    """The binary logarithm of how many different events there can be in so many ticks."""
    plain = units.count(EVENT) * math.log2(ticks * amounts.MOST_EVENTS + 1)
    bins = units.count(NUMBER) * amounts.BINS
    return plain + math.log2(math.comb(ticks * amounts.MOST_NUMBERS + bins, bins))


def durations(most: float, digits: int) -> int:
    """How many different durations of so many binary digits there are, up to ``most`` seconds."""
    exact = 1 << digits  # multiples of the smallest step below this are all there
    octaves = math.log2(most) - (rounding.DURATION_SMALLEST + digits)
    return exact + (math.ceil(octaves) << (digits - 1)) + 1


def health(span: float, rate: float) -> float:
    """How many different healths (frames, drops, durations) a tick may tell of. ``rate`` in frames per
    second. What it says of the CPU is not in it: the kernel's word is taken instead, see ``process``.
    """
    frames = math.floor((rate or inspector.MOST_FPS) * span) + inspector.SPARE_FRAMES + 1
    drops = int(math.log2(rounding.MOST_DROPPED)) + 2
    frame = durations(inspector.LONGEST_FRAME, rounding.DURATION_DIGITS)
    return float(frames * drops * frame**2)


def ticks(span: float, units: Sequence[str], rate: float) -> float:
    """The binary logarithm of how many different ticks of ``span`` seconds with series of these ``units``
    there are.
    """
    if not span:
        return math.log2(health(span, rate))
    shares = span / rounding.GRAIN  # so many times may be observed, beside none; the rest is blind or untold
    seen, unseen = sum(map(_entry_bits, units)), happened(units)
    rests = SIGHTS + 1.0  # blind, for one of so many reasons, or untold
    observed = _added(seen + unseen + math.log2(rests * shares), unseen + math.log2(rests))
    return observed + math.log2(health(span, rate))


def _entry_bits(unit: str) -> float:
    return 0.0 if unit in _COUNTED else math.log2(entries(unit))


def _added(*bits: float) -> float:
    """log2 of the sum of 2^bits."""
    most = max(bits)
    return most + math.log2(sum(2.0 ** (one - most) for one in bits))


def wall_capacity(units: Sequence[str], rate: float) -> float:
    """Bits a second through ticks of a live pipeline with series of these ``units``, at most."""
    lengths = [number * rounding.GRAIN for number in range(int(LONGEST / rounding.GRAIN) + 1)]
    counted = [(span, ticks(span, units, rate)) for span in lengths]

    def bound(weight: float) -> float:
        return inspector.LIVE_RATE * _added(*(bits - weight * span for span, bits in counted)) + weight

    return least(bound, 0.0, 1e4)


def least(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a convex function between ``low`` and ``high``."""
    for _ in range(60):
        third = (high - low) / 3.0
        if function(low + third) < function(high - third):
            high -= third
        else:
            low += third
    return function(low)


def kept_capacity(units: Sequence[str], rate: float) -> float:
    """Bits a second that reach the store, where minutes are kept and no seconds."""
    frames = math.log2(rate * MINUTE + inspector.SPARE_FRAMES * MINUTE + 1) if rate else 16.0
    seconds = 2.0 * math.log2(MINUTE * COVERAGE_SCALE + 1)  # observed and blind
    rows = sum(_row(unit) for unit in units if unit not in _COUNTED)
    return (rows + _events(units, _TICKS) + _estimates(units) + frames + seconds) / MINUTE


def _estimates(units: Sequence[str]) -> float:
    """Bits of a minute's estimates: so many powers of two, spread over the series in any way; and no more
    than their sums can be.
    """
    places = 2 * sum(unit in _COUNTED or unit in ("count", "share") for unit in units)
    many = amounts.MOST_ESTIMATES * _TICKS
    sums = places * math.log2(many * amounts.MOST_PARTS + 1)
    return min(sums, math.log2(math.comb(many + places * _POWERS, many)))


def _row(unit: str) -> float:
    """Bits of a series' minute: its extremes, its sum, its squares and its time, each as the store has it."""
    count, most = len(grid(unit)), rounding.largest(unit)
    extremes = math.log2(count * (count + 1) / 2)
    scale = SCALES.get(unit)
    steps = scale or 1.0 / (rounding.GRAIN / rounding.PLACES * 2.0**rounding.LEVEL_SMALLEST)
    signs = 1.0 if scale else 2.0
    total, squares = signs * most * MINUTE * steps + 1, most**2 * MINUTE * steps + 1
    return extremes + math.log2(total) + math.log2(squares)


def unrounded(units: Sequence[str]) -> float:
    """Bits a second through ticks if nothing were rounded: each number any double of its range, 1.5 messages
    a second. What the wall let pass before it was.
    """
    entry = sum(
        2 * _doubles(rounding.largest(unit)) + 3 * _doubles(1.0) if unit not in _COUNTED else 3 * 64.0
        for unit in units
    )
    return 1.5 * (entry + 7 * _doubles(1.0) + math.log2(2000.0) + math.log2(100_000.0))


def _doubles(most: float) -> float:
    """log2 of how many doubles there are from 0 to ``most``."""
    mantissa, exponent = math.frexp(most)
    return math.log2((exponent + 1022 + 2.0 * (mantissa - 0.5)) * 2.0**52)


def words_at_once() -> float:
    """Bits in the words that a pipeline's workers may have of their own at once."""
    return vocabulary.NEW_AT_ONCE * _wording()


def words() -> float:
    """Bits a second in words, from then on."""
    return _wording() / vocabulary.REFILL


def asking() -> float:
    """Bits a second by when a camera is lost and seen again, of which the store tells the times."""
    moments = lender.REFILL / rounding.GRAIN + 1
    return 2.0 * math.log2(moments) / lender.REFILL


def seeing() -> float:
    """Bits a second by when a camera is said to see nothing, why, and to see again: the store tells the
    times, the journal how often.
    """
    moments = journal.REFILL / rounding.GRAIN + 1
    return 2.0 * math.log2(moments * (SIGHTS - 1)) / journal.REFILL


def _wording() -> float:
    return TROUBLE_CHARACTERS * math.log2(len(vocabulary.CHARACTERS))


def table(rate: float = 5.0) -> str:
    """The table of docs/security.md."""
    rows = [
        "| a live pipeline at 5 frames/s with | unrounded | through the wall | into minutes that are kept |",
        "|---|---|---|---|",
    ]
    for text, units in (
        ("nothing to count (the tick itself)", []),
        *((f"one series of {names}", [unit]) for unit, names in kinds().items()),
        *((f"20 series of {names}", [unit] * 20) for unit, names in kinds().items()),
    ):
        numbers = (unrounded(units), wall_capacity(units, rate), kept_capacity(units, rate))
        rows.append(f"| {text} | {numbers[0]:,.0f} bit/s | {numbers[1]:.0f} bit/s | {numbers[2]:.1f} bit/s |")
    return "\n".join(rows) + "\n"


def sentence() -> str:
    """What words may hold, as docs/security.md says it."""
    return (
        f"{vocabulary.NEW_AT_ONCE} messages at once ({words_at_once() / 8000:.0f} kB), "
        f"then one an hour ({words():.1f} bit/s)"
    )


def sentence_of_cameras() -> str:
    """What losing a camera may say, as docs/security.md says it."""
    return f"{lender.LENT_AT_ONCE} times at once, then once in five minutes ({asking():.1f} bit/s)"


def sentence_of_sight() -> str:
    """What seeing nothing may say, as docs/security.md says it."""
    often = f"{journal.BURST} times at once, then once in {journal.REFILL / 60:.0f} minutes"
    return f"{often} ({seeing():.2f} bit/s)"


def sentence_of_stamp(rate: float = 5.0) -> str:
    """How long 20 series need at least for a picture, of whatever they are, as docs/security.md says it."""
    many = [[unit] * 20 for unit in kinds()]
    through, kept = (
        STAMP * 8 / max(of(units, rate) for units in many) for of in (wall_capacity, kept_capacity)
    )
    into = f"into minutes that are kept within {kept / 60:.1f}"
    return f"to the daemon's memory within {through:.0f} s, and {into}"


def sentence_of_sound() -> str:
    """What a pipeline that hears all it can (rate 0) may say, as docs/sound.md has it: one series of
    presence, five, and those five with four of events, which are config/birdsong.toml.
    """
    one, five, nine = (["share"] * many + [EVENT] * events for many, events in ((1, 0), (5, 0), (5, 4)))
    through = [wall_capacity(units, 0.0) for units in (one, five, nine)]
    kept = [kept_capacity(units, 0.0) for units in (one, five, nine)]
    return (
        f"{through[0]:.0f} bit/s with one series of presence, {through[1]:.0f} with five, {through[2]:.0f} "
        f"with the nine series of the example of bird song; what of it lasts in minutes that are kept is "
        f"{kept[0]:.1f}, {kept[1]:.1f} and {kept[2]:.1f} bit/s."
    )


def sentence_of_more_sound() -> str:
    """What one series more adds, as docs/sound.md says it."""
    few = wall_capacity(["share"], 0.0)
    presence, event = (wall_capacity(["share", unit], 0.0) - few for unit in ("share", EVENT))
    return f"A further series of presence adds {presence:.0f} bit/s, one of events {event:.0f}"


if __name__ == "__main__":
    print(table())
    print(sentence())
    print(sentence_of_cameras())
    print(sentence_of_sight())
    print(sentence_of_stamp())
    print(sentence_of_sound())
    print(sentence_of_more_sound())
