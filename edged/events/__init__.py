"""Everything that edged says happened: one table that the journal, its catalogue and the store follow.

A kind has a name (``journalctl EDGED_EVENT=replaced``), a MESSAGE_ID under which ``journalctl -x`` finds
its explanation, and a priority. The priority says who has to do something:

- *error*: numbers are being lost, or something is wrong that only the owner can mend.
- *warning*: something was lost or may be soon; edged mends it by itself if it can.
- *notice*: all is well, but the owner will want to find this again: what the box is and runs was changed.
- *info*: life.

``python -m edged.events`` prints systemd/edged.catalog, ``python -m edged.events table`` that of
docs/events.md. A new kind is a new row of ``work`` or ``box``, with an id of its own (``systemd-id128 new``);
a kind's name and id never change, for somebody's filter is built on them.
"""

from __future__ import annotations

from typing import Final

from edged.events.box import BOX, LIFE
from edged.events.kind import Kind
from edged.events.work import WORK

__all__ = ["KINDS", "Kind", "catalogue", "table"]

_TABLE: Final = (*LIFE, *WORK, *BOX)
KINDS: Final = {kind.name: kind for kind in _TABLE}


def catalogue() -> str:
    """All kinds as systemd's message catalogue has them."""
    return "# Made by `python -m edged.events`.\n" + "".join(map(_entry, _TABLE))


def _entry(kind: Kind) -> str:
    import re
    import textwrap

    # What stands for a whole sentence stands by itself: nobody knows how long it is.
    apart = re.sub(r": (@EDGED_[A-Z]+@)\. ?", r":\n\n\1\n\n", kind.explanation)
    told = [*apart.strip().split("\n\n"), kind.remedy]
    paragraphs = "\n\n".join(textwrap.fill(one, 78) for one in told)
    return f"\n-- {kind.message_id}\nSubject: {kind.subject}\nDefined-By: edged\n\n{paragraphs}\n"


def table() -> str:
    """All kinds as a table in Markdown."""
    head = "| event | priority | because | fields | MESSAGE_ID |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {one.name} | {one.priority} | {one.because} "
        f"| {', '.join(f'EDGED_{name.upper()}' for name in one.fields)} | {one.message_id} |\n"
        for one in _TABLE
    )
