"""Regular expressions of filters: what they find, and that none takes long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iop4d.store.patterns import Pattern, PatternError, matches

_LETTER = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "[a-b]", r"\d", r"\w", "1", "-"])
_EXPRESSION = st.recursive(
    _LETTER, lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"),
        inner.map(lambda one: f"^{one}"), inner.map(lambda one: f"{one}$")), max_leaves=6)


@given(expression=_EXPRESSION, texts=st.lists(st.text("abcA1-", max_size=8), max_size=4))
def test_an_expression_finds_what_pythons_own_finds(expression: str, texts: list[str]) -> None:
    for text in texts:
        assert Pattern(expression).search(text) == bool(re.search(expression, text, re.IGNORECASE))


def test_names_of_frames_are_found_without_regard_to_case() -> None:
    assert matches(r"^bllac-00(31|44)[VR]\.fits?$", "BLLac-0031V.fit")
    assert not matches(r"^bllac-00(31|44)[VR]\.fits?$", "BLLac-0032V.fit")
    assert not matches("a", None)


def test_an_expression_over_which_pythons_own_would_sit_for_years_takes_no_time() -> None:
    start = time.process_time()
    assert not Pattern("(a+)+$").search("a" * 5000 + "b")
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("expression", [
    "(", ")", "a)", "[", "[]", "*", "a**", "a{3", "a{2,1}", "a{99}", r"\b", r"\1", "(?=a)", "\\",
    "[z-a]", "a" * 300, "(" * 100, "((((a{50}){50}){50}){50})", "+", "a|*"])
def test_what_cannot_be_read_is_refused_with_a_reason(expression: str) -> None:
    with pytest.raises(PatternError, match=r"\w+ \w+"):
        Pattern(expression)


@given(st.text("aKs.-_0 ^", max_size=5).filter(lambda text: "^" not in text[1:]),
       st.text("aAkKs.\N{KELVIN SIGN}\N{LATIN SMALL LETTER LONG S}-_0 \n", max_size=8))
def test_expressions_without_repeats_mean_the_same_to_python(expression: str, text: str) -> None:
    followed = Pattern(f"({expression})")  # as brackets are followed by us
    assert Pattern(expression).search(text) is followed.search(text)
