import ast
import operator
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from goldenpath.agent.calculator import CalculatorError, calculate, evaluate, find


@pytest.mark.parametrize(
    ("expression", "equation"),
    [
        ("0.1+0.2", "0.1+0.2 = 0.3"),
        ("17 * 23 + 4", "17 * 23 + 4 = 395"),
        ("2**100", "2**100 = 1267650600228229401496703205376"),
        ("1/3", "1/3 ≈ 0.333333333333333"),
        ("2/3 * 3", "2/3 * 3 = 2"),
        ("sqrt(2)", "sqrt(2) ≈ 1.4142135623731"),
        ("sqrt(2.25)", "sqrt(2.25) = 1.5"),
        ("4^0.5", "4^0.5 = 2"),
        ("8^(1/3)", "8^(1/3) ≈ 2"),
        ("1.0041667^360", "1.0041667^360 ≈ 4.46779770479573"),
        ("(-1.0041667)^361", "(-1.0041667)^361 ≈ -4.4864136774923"),
        ("0^0.1", "0^0.1 = 0"),
        ("2 * pi", "2 * pi ≈ 6.28318530717959"),
        ("pi * 10^60", "pi * 10^60 ≈ 3.14159265358979e+60"),
        ("1/1e40", "1/1e40 ≈ 1e-40"),
        ("-2**2", "-2**2 = -4"),
        ("2**-1", "2**-1 = 0.5"),
        ("10 % 3", "10 % 3 = 1"),
        ("200 * 15%", "200 * 15% = 30"),
        ("12.5% of 80", "12.5% of 80 = 10"),
        ("15 percent of 200 + 1", "15 percent of 200 + 1 = 31"),
        ("3 × 4 ÷ 6 − 1", "3 × 4 ÷ 6 − 1 = 1"),
        ("7 plus 3 times 2", "7 plus 3 times 2 = 13"),
        ("1,000 * 3", "1,000 * 3 = 3000"),
        ("max(1,234)", "max(1,234) = 234"),
        ("min(3, 1, 2) + abs(-4)", "min(3, 1, 2) + abs(-4) = 5"),
        ("round(2.675, 2)", "round(2.675, 2) = 2.68"),
        ("1**1e900", "1**1e900 = 1"),
        ("  2 + 2 ", "2 + 2 = 4"),
    ],
)
def test_equations(expression: str, equation: str) -> None:
    assert calculate(expression) == equation


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("9**9**9", "more than 1000 digits"),
        ("9**9**9**9", "more than 1000 digits"),
        ("1e999999999", "more than 1000 digits"),
        ("0.5**99999999", "more than 1000 digits"),
        ("2**123456.7", "more than 1000 digits"),
        ("3**1e400 ** 0.3", "more than 1000 digits"),
        ("*".join(["10**900"] * 2), "more than 1000 digits"),
        ("round(1, 1e300)", "whole number of places"),
        ("1/0", "division by zero"),
        ("1 % (3-3)", "division by zero"),
        ("0**-1", "division by zero"),
        ("0**-0.3", "division by zero"),
        ("sqrt(-1)", "not a real number"),
        ("(-8)**(1/3)", "not a real number"),
        ("(1 + 2", "ends too early; expected ')'"),
        ("1 + 2)", "can't read ')'"),
        ("2 + * 3", "can't read '*'"),
        ("3,5 * 2", "decimals are written with a point"),
        ("3(4)", "can't read '('"),
        ("sqrt(1, 2)", "can't take 2 arguments"),
        ("", "ends too early"),
        ("__import__('os')", "can't read '__import__'"),
        ("1 + ü\x00", "can't read '\\xfc'"),
        ("(" * 51 + "1" + ")" * 51, "deeper than 50"),
        ("-" * 400 + "1", "deeper than 50"),
        ("1" * 501, "longer than 500"),
    ],
)
def test_errors_say_what_is_wrong(expression: str, reason: str) -> None:
    with pytest.raises(CalculatorError) as caught:
        calculate(expression)
    assert reason in str(caught.value)


# Python's own parser settles what binds tighter; Fraction computes.

NUMBERS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,2})?", fullmatch=True).filter(
    lambda text: not text.startswith("0")
)


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/", "//"]), inner)
    return st.one_of(
        joined,
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
        st.builds("{} % ({})".format, inner, inner),
        st.builds("{} ** {}".format, inner, st.sampled_from(["0", "2", "-1", "2 ** 2", "-2 ** 1"])),
        st.builds("({}) ** 3".format, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("abs({})".format, inner),
        st.builds("round({}, {})".format, inner, st.sampled_from(["0", "1", "-1"])),
    )


EXPRESSIONS = st.recursive(NUMBERS, _compound, max_leaves=8)
OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "round": lambda number, places: round(number, int(places)),
}


def oracle(node: ast.expr, text: str) -> Fraction:
    match node:
        case ast.Constant():
            return Fraction(str(ast.get_source_segment(text, node)))
        case ast.UnaryOp():
            return -oracle(node.operand, text)
        case ast.BinOp():
            compute = OPERATORS[type(node.op)]
            return Fraction(compute(oracle(node.left, text), oracle(node.right, text)))
        case ast.Call(func=ast.Name(id=name)):
            return Fraction(FUNCTIONS[name](*(oracle(argument, text) for argument in node.args)))
    raise AssertionError(ast.dump(node))


@settings(deadline=None)
@given(EXPRESSIONS)
def test_agrees_with_python_on_every_expression(text: str) -> None:
    tree = ast.parse(text, mode="eval").body
    try:
        value = evaluate(text)
    except CalculatorError as error:
        reason = str(error)
    else:
        assume(value.exact)
        assert value.number == oracle(tree, text)
        return
    assume("digits" not in reason)
    assert reason == "division by zero"
    with pytest.raises(ZeroDivisionError):
        oracle(tree, text)


@settings(deadline=None)
@given(st.builds("{} {} {}".format, EXPRESSIONS, st.sampled_from(["+", "*", "/"]), EXPRESSIONS))
def test_an_expression_is_found_whole_inside_a_sentence(text: str) -> None:
    assert find(f"Tell me, what is {text}?") == ([text], "Tell me, what is  ?")


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,+-*/%^()ex spqrtmaxof\n", max_size=80) | st.text())
def test_any_text_gives_an_equation_or_a_calculator_error(text: str) -> None:
    found, _ = find(text)
    for expression in [text, *found]:
        with suppress(CalculatorError):
            assert calculate(expression).startswith(expression.strip())


@pytest.mark.parametrize(
    ("sentence", "expressions"),
    [
        ("what is 12.5% of 80?", ["12.5% of 80"]),
        ("what is 17 * 23 + 4?", ["17 * 23 + 4"]),
        ("how much is (3+4)*2", ["(3+4)*2"]),
        ("What's 3 + 4, and 5 x 6 please.", ["3 + 4", "5 x 6"]),
        ("2+2=4?", ["2+2"]),
        ("(see 3+4)", ["3+4"]),
        ("1,000,000 / 8", ["1000000 / 8"]),
        ("is max(1, 2) larger than sqrt(9)?", ["max(1, 2)", "sqrt(9)"]),
        ("what is 2 + * 3?", ["2 + * 3"]),
        ("3,5 * 2", ["3,5 * 2"]),
        ("SHA-256 / 8", []),
        ("items 1, 2 and 3", []),
        ("version 3.5.2 - 1 costs 3,5 euro", []),
        ("run_thread_chat_41_9f3c2b1a_83123_ab12cd34", []),
        ("550e8400-e29b-41d4-a716-446655440000", []),
        ("a round 5 or a max of 7", []),
        ("1 + 1" + " " * 1000, []),
    ],
)
def test_expressions_are_found_in_sentences(sentence: str, expressions: list[str]) -> None:
    assert find(sentence)[0] == expressions


def test_what_is_left_of_the_sentence_holds_the_other_words() -> None:
    assert find("what is 3 + 4 and a scope?")[1].split() == ["what", "is", "and", "a", "scope?"]
