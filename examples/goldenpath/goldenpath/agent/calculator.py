"""A calculator without `eval`: exact arithmetic, bounded in time and memory whatever it is given.

    + - * / // %  ^ or **   ( )   sqrt abs round min max   pi e   "15% of 80"   plus minus times …

Operators bind as in Python. `%` is a percentage unless a number, name or parenthesis follows: then it
is the remainder, so write `7 % (-3)`. `round` gives halves to the even neighbour.
"""

from __future__ import annotations

import decimal
import math
import operator
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

from .contract import ToolError

MAX_LENGTH = 500  # characters of an expression
MAX_DEPTH = 50  # nested parentheses, signs and powers
MAX_DIGITS = 1_000  # of a result, also between steps
MAX_SENTENCE = 1_000  # characters; a longer text is not searched for expressions
DECIMAL_PLACES = 30  # shown exactly; longer fractions are rounded
SIGNIFICANT = 15  # digits shown of a rounded result

_MAX_BITS = int(MAX_DIGITS * math.log2(10))
_PRECISE = decimal.Context(prec=50)
_ROUNDED = decimal.Context(prec=SIGNIFICANT)


class CalculatorError(ToolError):
    """The expression can't be read, has no real result, or the result is too large."""


class Value(NamedTuple):
    number: Fraction
    exact: bool


def calculate(expression: str) -> str:
    """The equation as text: `0.1+0.2 = 0.3`, or with `≈` where the result had to be rounded."""
    shown, value = expression.strip(), evaluate(expression)
    return f"{shown} {_write(value)}"


def evaluate(expression: str) -> Value:
    """The value of an expression; not exact once a root, power, pi or e had to be rounded (50 digits)."""
    if len(expression) > MAX_LENGTH:
        raise CalculatorError(f"the expression is longer than {MAX_LENGTH} characters")
    return _Parser(list(_symbols(_ungrouped(expression)))).value()


def find(sentence: str) -> tuple[list[str], str]:
    """The expressions inside a sentence, and the sentence without them.

    What only looks like arithmetic (`2 + * 3`) is found too: `evaluate` says what is wrong with it.
    """
    sentence = _ungrouped(sentence)
    found: list[str] = []
    rest: list[str] = []
    end = 0
    for run in _runs(_symbols(sentence if len(sentence) <= MAX_SENTENCE else "")):
        expression = _trimmed(run)
        if not _worth_calculating(expression):
            continue
        found.append(sentence[expression[0].start : expression[-1].end])
        rest.append(sentence[end : expression[0].start])
        end = expression[-1].end
    return found, " ".join([*rest, sentence[end:]])


# Reading symbols


class _Symbol(NamedTuple):
    kind: str  # number, constant, function, operator, other
    text: str
    start: int
    end: int


_SYMBOL = re.compile(
    r"""
      (?P<number> (?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+) (?:e[+-]?[0-9]+)? (?!\.?\w) )
    | (?P<function> (?:sqrt|abs|round|min|max) (?=\s*\() )
    | (?P<constant> (?:pi|e)\b )
    | (?P<operator> (?:%|percent\b)\s*of\b | \*\* | // | [-+*/%^(),×÷−]
                    | (?:plus|minus|times|divided\s+by|percent|x)\b )
    | (?P<other> \w+(?:[.,-]\w+)* | \S )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPELLINGS = {
    "×": "*", "x": "*", "times": "*", "÷": "/", "divided by": "/", "−": "-", "minus": "-",
    "plus": "+", "^": "**", "percent": "%", "% of": "% of", "%of": "% of", "percent of": "% of",
}  # fmt: skip
_CALL = re.compile(r"(?:sqrt|abs|round|min|max)\s*\(", re.IGNORECASE)
_GROUPED = re.compile(r"(?<![\w.,])[0-9]{1,3}(?:,[0-9]{3})+(?![\w,])")


def _ungrouped(text: str) -> str:
    """1,000 → 1000, except where a comma may separate the arguments of a function."""
    return text if _CALL.search(text) else _GROUPED.sub(lambda match: match[0].replace(",", ""), text)


def _symbols(text: str) -> Iterator[_Symbol]:
    for match in _SYMBOL.finditer(text):
        word = " ".join(match[0].lower().split())
        yield _Symbol(match.lastgroup or "other", _SPELLINGS.get(word, word), match.start(), match.end())


# Evaluating while parsing (operator precedence, after Pratt)


def _percent_of(percentage: Fraction, whole: Fraction) -> Fraction:
    return percentage / 100 * whole


_Operation = Callable[[Fraction, Fraction], Fraction | int]
# How tightly each binds; a sign binds tighter than these, and a power tighter than a sign.
_SIGN = 40
_BINARY: dict[str, tuple[int, _Operation]] = {
    "+": (10, operator.add),
    "-": (10, operator.sub),
    "*": (20, operator.mul),
    "/": (20, operator.truediv),
    "//": (20, operator.floordiv),
    "%": (20, operator.mod),
    "% of": (30, _percent_of),
}
_CONSTANTS = {
    "pi": Fraction("3.1415926535897932384626433832795028841971693993751"),
    "e": Fraction("2.7182818284590452353602874713526624977572470936999"),
}
_MOST_ARGUMENTS = {"sqrt": 1, "abs": 1, "round": 2}
_END = _Symbol("end", "", 0, 0)


class _Parser:
    def __init__(self, symbols: list[_Symbol]) -> None:
        self.symbols = symbols
        self.position = 0
        self.depth = 0
        self.exact = True

    def value(self) -> Value:
        number = self.expression(0)
        if self.next is not _END:
            raise self.unexpected()
        return Value(number, self.exact)

    @property
    def next(self) -> _Symbol:
        return self.symbols[self.position] if self.position < len(self.symbols) else _END

    def take(self) -> _Symbol:
        symbol = self.next
        self.position += 1
        return symbol

    def expect(self, text: str) -> None:
        if self.next.text != text:
            raise self.unexpected(f"; expected '{text}'")
        self.take()

    def unexpected(self, hint: str = "") -> CalculatorError:
        if self.next is _END:
            return CalculatorError(f"the expression ends too early{hint}")
        if self.next.text == ",":
            hint = "; decimals are written with a point, and arguments stand in parentheses"
        return CalculatorError(f"can't read {self.next.text[:20]!a} at this place{hint}")

    def expression(self, floor: int) -> Fraction:
        """The value of everything from here that binds tighter than `floor`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise CalculatorError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        left = self.operand()
        while self.next.kind == "operator":
            if self.next.text == "%" and not self.is_remainder():
                self.take()
                left = _bounded(left / 100)
            elif self.next.text == "**":
                self.take()
                left = self.power(left, self.expression(_SIGN))
            elif self.next.text in _BINARY and floor < _BINARY[self.next.text][0]:
                binds, compute = _BINARY[self.take().text]
                left = _computed(compute, left, self.expression(binds))
            else:
                break
        self.depth -= 1
        return left

    def is_remainder(self) -> bool:
        after = self.symbols[self.position + 1] if self.position + 1 < len(self.symbols) else _END
        return after.kind in ("number", "constant", "function") or after.text == "("

    def operand(self) -> Fraction:
        symbol = self.next
        if symbol.kind == "number":
            return self.number(self.take().text)
        if symbol.kind == "constant":
            self.exact = False
            return _CONSTANTS[self.take().text]
        if symbol.kind == "function":
            return self.call(self.take().text)
        if symbol.text in ("+", "-"):
            self.take()
            number = self.expression(_SIGN)
            return -number if symbol.text == "-" else number
        if symbol.text != "(":
            raise self.unexpected()
        self.take()
        number = self.expression(0)
        self.expect(")")
        return number

    def number(self, text: str) -> Fraction:
        digits, _, exponent = text.partition("e")
        scale = self.power(Fraction(10), Fraction(exponent)) if exponent else 1
        return _bounded(Fraction(digits) * scale)

    def call(self, function: str) -> Fraction:
        self.expect("(")
        arguments = [self.expression(0)]
        while self.next.text == ",":
            self.take()
            arguments.append(self.expression(0))
        self.expect(")")
        if len(arguments) > _MOST_ARGUMENTS.get(function, MAX_LENGTH):
            raise CalculatorError(f"{function}() can't take {len(arguments)} arguments")
        if function == "sqrt":
            return self.root(arguments[0])
        if function == "round":
            return _round(*arguments)
        if function == "abs":
            return abs(arguments[0])
        return min(arguments) if function == "min" else max(arguments)

    def root(self, number: Fraction) -> Fraction:
        if number < 0:
            raise CalculatorError("the square root of a negative number is not a real number")
        root = Fraction(math.isqrt(number.numerator), math.isqrt(number.denominator))
        if root * root == number:
            return root
        self.exact = False
        return _bounded(Fraction(_decimal(number, _PRECISE).sqrt(_PRECISE)))

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator == 2:
            return self.power(self.root(base), Fraction(exponent.numerator))
        # A lower bound of an exact result's size, known before the work is done.
        least_bits = (_bits(base) - 1) * abs(exponent)
        if exponent.denominator != 1 or least_bits > _MAX_BITS:
            return self.rounded_power(base, exponent)
        return _computed(operator.pow, base, exponent)

    def rounded_power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if base < 0 and exponent.denominator != 1:
            raise CalculatorError("a fractional power of a negative number is not a real number")
        if base == 0:
            return _computed(operator.pow, base, Fraction(-1 if exponent < 0 else 1))
        self.exact = False
        try:
            power = _PRECISE.power(_decimal(base, _PRECISE), _decimal(exponent, _PRECISE))
        except decimal.Overflow:
            raise _too_large() from None
        if abs(power.adjusted()) > MAX_DIGITS:
            raise _too_large()
        return _bounded(Fraction(power))


def _computed(compute: _Operation, left: Fraction, right: Fraction) -> Fraction:
    try:
        return _bounded(Fraction(compute(left, right)))
    except ZeroDivisionError:
        raise CalculatorError("division by zero") from None


def _round(number: Fraction, places: Fraction = Fraction(0)) -> Fraction:
    if places.denominator != 1 or abs(places) > MAX_DIGITS:
        raise CalculatorError(f"round() takes a whole number of places up to {MAX_DIGITS}")
    return _bounded(round(number, int(places)))


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _bounded(number: Fraction) -> Fraction:
    if _bits(number) > _MAX_BITS:
        raise _too_large()
    return number


def _too_large() -> CalculatorError:
    return CalculatorError(f"the result has more than {MAX_DIGITS} digits")


# Writing results


def _decimal(number: Fraction, context: decimal.Context) -> decimal.Decimal:
    return context.divide(decimal.Decimal(number.numerator), decimal.Decimal(number.denominator))


def _write(value: Value) -> str:
    number, exact = value
    if exact and 10**DECIMAL_PLACES % number.denominator == 0:
        whole = decimal.Context(prec=MAX_DIGITS + DECIMAL_PLACES)
        return f"= {_decimal(number, whole):f}"
    rounded = _decimal(number, _ROUNDED).normalize(_ROUNDED)
    plain = -7 <= rounded.adjusted() < SIGNIFICANT
    return f"≈ {rounded:f}" if plain else f"≈ {rounded}".replace("E", "e")


# Finding expressions in sentences


def _runs(symbols: Iterator[_Symbol]) -> Iterator[list[_Symbol]]:
    """Stretches of symbols that could be arithmetic, cut at words and where two numbers meet."""
    run: list[_Symbol] = []
    for symbol in symbols:
        if symbol.kind == "other" or (run and _apart(run, symbol)):
            yield run
            run = []
        if symbol.kind != "other":
            run.append(symbol)
    yield run


def _apart(run: list[_Symbol], symbol: _Symbol) -> bool:
    last = run[-1]
    if last.end == symbol.start or _inside_call(run):
        return False
    return last.text == "," or (_ends(last) and _is_operand(symbol))


def _inside_call(run: list[_Symbol]) -> bool:
    opened = sum(symbol.text == "(" for symbol in run) - sum(symbol.text == ")" for symbol in run)
    return opened > 0 and any(symbol.kind == "function" for symbol in run)


def _is_operand(symbol: _Symbol) -> bool:
    return symbol.kind in ("number", "constant", "function")


def _ends(symbol: _Symbol) -> bool:
    return symbol.kind in ("number", "constant") or symbol.text == ")"


def _trimmed(run: list[_Symbol]) -> list[_Symbol]:
    """The run without what belongs to the sentence: commas, dashes, brackets around it."""
    while run:
        opened, closed = (sum(symbol.text == bracket for symbol in run) for bracket in "()")
        first, last = run[0], run[-1]
        starts = _is_operand(first) or first.text in ("+", "-") or (first.text == "(" and opened <= closed)
        ends = (
            last.kind in ("number", "constant") or last.text == "%" or (last.text == ")" and closed <= opened)
        )
        if starts and ends:
            break
        run = run[:-1] if starts else run[1:]
    return run


def _worth_calculating(run: list[_Symbol]) -> bool:
    if any(symbol.kind == "function" for symbol in run):
        return True
    operands = sum(symbol.kind in ("number", "constant") for symbol in run)
    return operands > 1 and any(symbol.text in _BINARY or symbol.text == "**" for symbol in run)
