"""A pipeline's recess: its source is its owner's, who draws zones over the outline of what it sees.

A camera can be opened once, and a worker that is locked tells nobody what it sees, for good reasons. So the
worker ends, the command's own process looks for some seconds, and another worker goes on; that time is blind.
Whoever does not give the source back has it for ``LONGEST`` at most. Nothing of the outline comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from edged.config.shape import Camera, Name, V4l2
from edged.errors import ControlError
from edged.exchange import understood
from edged.supervise import Keeper

LONGEST: Final = 120.0  # seconds


class Wish(msgspec.Struct, frozen=True):
    """``seconds`` for which the source is wanted; 0 gives it back."""

    pipeline: Annotated[Name, Meta(description="the name of a pipeline")]
    seconds: Annotated[float, Meta(ge=0, le=LONGEST, description=f"0 to {LONGEST:.0f} seconds")] = LONGEST


def grant(
    keepers: Iterable[Keeper], request: dict[str, Any], note: Callable[[str, str, str], None]
) -> dict[str, Any]:
    """Grant a recess, or end it; ``note`` is told of the first. The answer says whether
    somebody has to ``wait`` for the worker to end: not where nobody holds that source, or everybody may read
    it. Raises ``ControlError``.
    """
    if "pipeline" not in request:
        raise ControlError("pipeline is missing", 'send {"verb": "outline", "pipeline": "hall"}')
    wish = understood(request, Wish)
    if wish.seconds:
        note("outlined", "its owner looks at the outline of what it sees", wish.pipeline)
    keeper = next((one for one in keepers if one.name == wish.pipeline), None)
    if keeper is None or not isinstance(keeper.pipeline.source, Camera | V4l2):
        return {"wait": False}
    if wish.seconds or keeper.in_recess:
        keeper.recess(wish.seconds)
    return {"wait": True}
