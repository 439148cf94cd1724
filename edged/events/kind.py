"""What a kind of event is."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of event.

    ``because`` justifies the priority. ``fields`` are those that each such entry has beside the ones that all
    have; as EDGED_REASON for ``reason``. ``explanation`` and ``remedy`` may hold them, as ``@EDGED_REASON@``,
    and ``@EDGED_PIPELINE@`` if the event is a pipeline's.
    """

    name: str
    message_id: str
    priority: str
    because: str
    subject: str
    explanation: str
    remedy: str
    fields: tuple[str, ...] = ()
