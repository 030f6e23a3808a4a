"""Regular expressions whose cost rises with the length of the text alone, whoever writes them.

Python's own may take hours for one name, and nothing can stop them. These are followed through all
their ways at once (K. Thompson 1968, CACM 11, 419), and each set of places is looked up once. An
expression in which nothing repeats is Python's to follow, twenty times as fast.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import lru_cache

from iop4d.model.errors import Iop4dError

LONGEST = 200  # characters of an expression
_MOST_STATES = 1000  # an expression of {} within {} has that many soon
_MOST_REPEATS = 50
_MOST_MOVES = 20_000  # kept of one expression
_DEEPEST = 30  # brackets within brackets

Test = Callable[[str], bool]
#: Expressions that mean the same to Python, which tries them once at each place of a text.
_WITHOUT_REPEATS = re.compile(r"\^?[a-z0-9_ .:/-]*", re.IGNORECASE | re.ASCII)
_CLASSES: dict[str, Test] = {
    "d": str.isdecimal, "w": lambda c: c.isalnum() or c == "_", "s": str.isspace}


class PatternError(Iop4dError):
    """A regular expression cannot be read."""


class Pattern:
    """A regular expression without regard to case: is it found anywhere in a text?

    It knows ``. [abc] [^a-z] \\d \\w \\s ^ $ * + ? {2,3} | ( )``, and no references back.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise PatternError(f"a regular expression has {LONGEST} characters at most")
        self._text, self._at, self._depth = text, 0, 0
        #: Of each state the ways on: without a character, under a condition, and with one.
        self._free: list[list[tuple[str, int]]] = []
        self._step: list[tuple[Test, int] | None] = []
        begin, self._end = self._alternatives()
        if self._at < len(text):
            raise PatternError("there is a ) without its (")
        self._begin = begin
        self._moves: dict[tuple[frozenset[int], str, bool], frozenset[int]] = {}
        self._plain = (re.compile(text, re.IGNORECASE | re.DOTALL)
                       if _WITHOUT_REPEATS.fullmatch(text) else None)

    def search(self, text: str) -> bool:
        """Whether the expression is found in a text."""
        if self._plain is not None:
            return self._plain.search(text) is not None
        places = self._closure({self._begin}, at_begin=True, at_end=not text)
        last = len(text) - 1
        for at, char in enumerate(text):
            if self._end in places:
                return True
            key = places, char, at == last
            following = self._moves.get(key)
            if following is None:
                reached = {step[1] for place in places
                           if (step := self._step[place]) is not None and step[0](char)}
                following = self._closure(reached | {self._begin}, at_begin=False,
                                          at_end=at == last)
                if len(self._moves) > _MOST_MOVES:
                    self._moves.clear()
                self._moves[key] = following
            places = following
        return self._end in places

    def _closure(self, places: set[int], *, at_begin: bool, at_end: bool) -> frozenset[int]:
        found, open_ = set(places), list(places)
        while open_:
            for condition, to in self._free[open_.pop()]:
                if to not in found and (not condition or (condition == "^" and at_begin)
                                        or (condition == "$" and at_end)):
                    found.add(to)
                    open_.append(to)
        return frozenset(found)

    # Reading the expression; each part is the pair of its first and its last state.

    def _state(self) -> int:
        if len(self._free) >= _MOST_STATES:
            raise PatternError("the regular expression repeats too much")
        self._free.append([])
        self._step.append(None)
        return len(self._free) - 1

    def _next(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _take(self) -> str:
        char = self._next()
        self._at += 1
        return char

    def _alternatives(self) -> tuple[int, int]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PatternError("the regular expression has too many ( within each other")
        begin, end = self._state(), self._state()
        while True:
            first, last = self._sequence()
            self._free[begin].append(("", first))
            self._free[last].append(("", end))
            if self._next() != "|":
                self._depth -= 1
                return begin, end
            self._take()

    def _sequence(self) -> tuple[int, int]:
        begin = end = self._state()
        while self._next() not in ("", "|", ")"):
            start = self._at
            first, last = self._atom()
            least, most = self._repeats()
            stop = self._at
            for index in range(most if most is not None else max(least, 1)):
                if index:
                    first, last = self._again(start)
                if index >= least:
                    self._free[first].append(("", last))
                if most is None and index >= least - 1:
                    self._free[last].append(("", first))
                self._free[end].append(("", first))
                end = last
            self._at = stop
        return begin, end

    def _again(self, start: int) -> tuple[int, int]:
        """Another copy of the part that begins there."""
        self._at = start
        return self._atom()

    def _repeats(self) -> tuple[int, int | None]:
        """How many times the part before stands at least and at most."""
        char = self._next()
        if char not in ("*", "+", "?", "{") or not char:
            return 1, 1
        self._take()
        if char == "{":
            inside, closed, _ = self._text[self._at:].partition("}")
            low, comma, high = inside.partition(",")
            if not closed or not low.isdecimal() or not (high.isdecimal() or not high):
                raise PatternError("expected a repeat such as {2}, {2,} or {2,3}")
            self._at += len(inside) + 1
            least = int(low[:9])
            most = (int(high[:9]) if high else None) if comma else least
            if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
                raise PatternError(f"expected at most {_MOST_REPEATS} repeats, the smaller number "
                                   "first")
        else:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        if self._next() == "?":  # as few as possible: the same, where only a find counts
            self._take()
        if self._next() in ("*", "+", "?", "{") and self._next():
            raise PatternError("there is nothing before a *, +, ? or { to repeat")
        return least, most

    def _atom(self) -> tuple[int, int]:
        char = self._take()
        if char == "(":
            if self._text[self._at:self._at + 2] == "?:":
                self._at += 2
            elif self._next() == "?":
                raise PatternError("(? is not known, but for (?:")
            found = self._alternatives()
            if self._take() != ")":
                raise PatternError("there is a ( without its )")
            return found
        first, last = self._state(), self._state()
        if char in ("^", "$"):
            self._free[first].append((char, last))
        else:
            self._step[first] = self._test(char), last
        return first, last

    def _test(self, char: str) -> Test:
        if char == ".":
            return _any
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in ("*", "+", "?", "{"):
            raise PatternError("there is nothing before a *, +, ? or { to repeat")
        return _one_of({char.casefold()})

    def _escape(self) -> Test:
        char = self._take()
        if char in string.punctuation and char:
            return _one_of({char})
        known = _CLASSES.get(char.lower()) if char else None
        if known is None:
            raise PatternError(f"\\{char} is not known here")
        return known if char.islower() else _not(known)

    def _class(self) -> Test:
        is_not = self._next() == "^"
        if is_not:
            self._take()
        characters: set[str] = set()
        ranges: list[tuple[str, str]] = []
        tests: list[Test] = []
        first = True
        while first or self._next() != "]":
            first = False
            char = self._take()
            if not char:
                raise PatternError("there is a [ without its ]")
            if char == "\\":
                tests.append(self._escape())
            elif self._next() == "-" and self._text[self._at + 1:self._at + 2] not in ("", "]"):
                self._take()
                high = self._take()
                if high < char or high == "\\":
                    raise PatternError(f"[{char}-{high}] is no range")
                ranges.append((char, high))
            else:
                characters.add(char.casefold())
        self._take()
        simple = _one_of(characters)

        def test(c: str) -> bool:
            return simple(c) or any(t(c) for t in tests) or any(
                low <= form <= high for low, high in ranges for form in (c.lower(), c.upper(), c))

        return _not(test) if is_not else test


def _any(_: str) -> bool:
    return True


def _one_of(characters: set[str]) -> Test:
    return lambda c: c.casefold() in characters


def _not(test: Test) -> Test:
    return lambda c: not test(c)


@lru_cache(maxsize=64)
def pattern(text: str) -> Pattern:
    """The expression of a text, read once; raises PatternError."""
    return Pattern(text)


def matches(expression: str, text: str | None) -> bool:
    """The function of that name that statements call."""
    return text is not None and pattern(expression).search(text)
