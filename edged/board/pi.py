"""What a Raspberry Pi's firmware alone knows: its level bits, the clock that it really gives, volts.

Between two looks a dip may come and go. Its trace is a "since boot" bit that rises, until the kernel's
driver clears it (every 2 s): so a bit that has risen counts as under-voltage now. What happened since we
began is latched here, because those bits do not last.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from edged.board import firmware
from edged.board.firmware import ARM, CORE, Mailbox, Question
from edged.board.host import Host
from edged.errors import UnavailableError

THROTTLED: Final[Question] = (firmware.GET_THROTTLED, (0,))
VOLTAGE: Final[Question] = (firmware.GET_VOLTAGE, (CORE, 0))
CLOCK: Final[Question] = (firmware.GET_CLOCK_MEASURED, (ARM, 0))
FULL_CLOCK: Final[Question] = (firmware.GET_MAX_CLOCK, (ARM, 0))
HOTTEST: Final[Question] = (firmware.GET_MAX_TEMPERATURE, (0, 0))
#: A firmware that hangs costs a second a trip: after a failure it is left alone for so long.
REST: Final = 10.0  # seconds
LEARN_EVERY: Final = 60.0  # seconds, of one that answers nothing, or nothing of that
RAILS_EVERY: Final = 5.0  # seconds: the PMIC converts 26 quantities one after another
NOW, BEFORE = 0xF, 0xF << 16
#: The firmware slows down from so much below its limit on (temp_limit of config.txt, 85 °C unless the owner
#: lowered it).
PROGRESSIVE: Final = 5.0  # °C
RAIL: Final = re.compile(r"(\w+)_([AV]) (?:current|volt)\(\d+\)=(\d+\.\d+)[AV]")
INPUT: Final = "EXT5V"  # the supply's; it has volts only


class Told(NamedTuple):
    """One answer. ``word`` as in ``voltage.Word`` with our own "before" bits, ``dipped``: under-voltage came
    and went since the answer before, ``clock`` a fraction of the full one, ``rails`` watts of the PMIC's.
    """

    word: int | None = None
    dipped: bool = False
    clock: float | None = None
    core_voltage: float | None = None
    voltage: float | None = None
    rails: float | None = None


class Pi:
    """The firmware, asked once a second. On any other machine it tells nothing."""

    def __init__(self, host: Host, mailbox: Mailbox | None = None) -> None:
        self._mailbox = mailbox or Mailbox(host.place("dev/vcio"))
        self._rests_until = self._rails_at = float("-inf")
        self._latched = 0
        self._sticky: int | None = None
        self._rails: tuple[float | None, float | None] = (None, None)
        self._is_one, self._has_rails = host.pi() > 0, host.pi() >= 5
        self._learn()

    def _learn(self) -> None:
        """What this firmware knows. Each tag alone: one that it does not know would spoil the others, and be
        logged.
        """
        self._known = [one for one in (THROTTLED, VOLTAGE, CLOCK) if self._ask(one) is not None]
        self._full = self._asked(FULL_CLOCK)
        limit = self._asked(HOTTEST)
        self.limit = limit / 1000.0 - PROGRESSIVE if limit and 40_000 <= limit <= 110_000 else None

    def tell(self, now: float) -> Told:
        """What the firmware says at ``now`` (seconds); nothing while it does not answer."""
        if now < self._rests_until:
            return Told()
        if not self._known:
            self._rests_until = now + LEARN_EVERY
            if self._is_one:  # its device may come later than we do
                self._learn()
            return Told()
        try:
            answers = dict(zip(self._known, self._mailbox.ask_all(self._known), strict=True))
        except (OSError, UnavailableError):
            self._rests_until = now + REST
            return Told()
        word, dipped = self._word(answers.get(THROTTLED))
        supply, rails = self._power(now)
        return Told(
            word, dipped, self._clock(answers.get(CLOCK)), _volts(answers.get(VOLTAGE)), supply, rails
        )

    def latch(self, bits: int) -> None:
        """Remember level bits that somebody else saw (the kernel's alarm)."""
        self._latched |= (bits & NOW) << 16

    @property
    def latched(self) -> int:
        """The bits of "before", since we began."""
        return self._latched

    def _word(self, answer: tuple[int, ...] | None) -> tuple[int | None, bool]:
        if answer is None:
            return None, False
        level, sticky = answer[0] & NOW, answer[0] & BEFORE
        risen = 0 if self._sticky is None else sticky & ~self._sticky
        self._sticky = sticky
        self._latched |= level << 16 | risen
        return level | self._latched, bool(risen & 1 << 16)

    def _clock(self, answer: tuple[int, ...] | None) -> float | None:
        if answer is None or not self._full:
            return None
        try:
            return min(1.0, firmware.hertz(*answer) / self._full)
        except UnavailableError:
            return None

    def _power(self, now: float) -> tuple[float | None, float | None]:
        """Volts of the supply and watts of all rails, every few seconds."""
        if self._has_rails and now >= self._rails_at + RAILS_EVERY:
            self._rails_at = now
            try:
                self._rails = rails(self._mailbox.command("pmic_read_adc"))
            except (OSError, UnavailableError):
                self._rails, self._rails_at = (None, None), now + LEARN_EVERY
        return self._rails

    def _ask(self, question: Question) -> tuple[int, ...] | None:
        try:
            return self._mailbox.ask(question[0], *question[1])
        except (OSError, UnavailableError):
            return None

    def _asked(self, question: Question) -> int | None:
        """The second word of the answer, but only of a firmware that has answered before."""
        answer = self._ask(question) if self._known else None
        return answer[1] if answer and answer[0] == question[1][0] and answer[1] else None


def rails(said: str) -> tuple[float | None, float | None]:
    """What pmic_read_adc says: volts of the 5 V input, and the watts of all rails together, which lack what
    USB takes and what is lost on the way.
    """
    found: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for name, kind, value in RAIL.findall(said):
        if len(value) < 20:
            found[kind][name] = float(value)
    volts = found["V"].get(INPUT)
    watts = [amperes * found["V"][name] for name, amperes in found["A"].items() if name in found["V"]]
    return (volts if volts and volts < 10.0 else None), (sum(watts) if watts and sum(watts) < 50.0 else None)


def _volts(answer: tuple[int, ...] | None) -> float | None:
    try:
        return firmware.volts(*answer) if answer else None
    except UnavailableError:
        return None
