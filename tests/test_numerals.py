"""Numbers for people: digits that count, and no exponent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.numerals import short


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (0.0, 2, "0"),
        (0.4567, 2, "0.46"),
        (8.24, 2, "8.2"),
        (168.2, 2, "168"),
        (99.6, 2, "100"),
        (1234.5, 3, "1234"),
        (0.0000123, 2, "0.000012"),
        (-250.0, 2, "-250"),
    ],
)
def test_a_number_as_it_is_said(number: float, digits: int, text: str) -> None:
    assert short(number, digits) == text


@given(st.floats(-1e12, 1e12), st.integers(1, 6))
def test_there_is_never_an_exponent_and_it_is_about_the_number(number: float, digits: int) -> None:
    text = short(number, digits)
    assert "e" not in text
    assert float(text) == pytest.approx(number, rel=0.6 * 10.0 ** (1 - digits), abs=1e-6)
