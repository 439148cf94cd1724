"""Questions to a store of any kind: each has an answer or is refused with a sentence. What the socket itself
does with strangers' bytes is tried with a whole daemon in ``test_control_fuzz.py``.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edged.report import Question
from fuzz import targets

NAMES = st.sampled_from([*(one.name for one in msgspec.structs.fields(Question)), "verb", "colour", ""])
#: Numbers at which clocks, calendars and divisions break, and some at which there are rows.
NUMBERS = st.sampled_from(
    [
        0,
        -1,
        1e-300,
        5e-324,
        0.5,
        1,
        60,
        3600,
        86400,
        1e9,
        2**31,
        2**40,
        2**63,
        253402300799,
        253402300800,
        1e18,
        1e308,
    ]
    + [targets.BEGIN + offset for offset in (-1, 0, 1, 3600, 21600)]
)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | NUMBERS
    | st.text(max_size=12)
    | st.sampled_from(["yard", "level"]),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, ANY, max_size=5))
def test_any_question_has_an_answer_or_a_sentence(request: dict[str, Any]) -> None:
    targets.question(json.dumps(request).encode())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("start", "to", "last", "every"), NUMBERS)))
def test_any_times_have_an_answer_or_a_sentence(request: dict[str, Any]) -> None:
    targets.question(json.dumps(request).encode())


def test_a_good_question_is_answered() -> None:
    assert targets.question(
        json.dumps({"start": targets.BEGIN, "to": targets.BEGIN + 3600, "every": 60}).encode()
    )
