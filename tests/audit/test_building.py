"""Templates of IDs that are put together by hand, and how much of them varies."""

from __future__ import annotations

import pytest

from canonid.audit.scanning import scan


def template_of(code: str) -> tuple[str, str]:
    """The template of the one ID that the code makes by hand, and what is said of it."""
    (found,) = [each for each in scan("app.py", code.encode()).drafts if each.code == "CID201"]
    return found.template, found.message


@pytest.mark.parametrize(
    ("code", "template"),
    [
        (
            "def make_id(x):\n    text = 'a'\n    text += '_'\n    text += x\n    user_id = f'{text}-1'",
            "a_{x}-1",
        ),
        (
            "def make_id(x):\n    p = ['a']\n    p.append(x)\n    p += ['b']\n    return ':'.join(p)",
            "a:{x}:b",
        ),
        ("FORM = 'run_%s_%d'\ndef f(a, b): run_id = FORM % (a, b)", "run_{a}_{b}"),
        ("FORM = 'run_{a}'\ndef f(a): run_id = FORM.format(a=a)", "run_{a}"),
        (
            "from x import ID_FORMAT\ndef f(user_id): room_id = ID_FORMAT.format(user_id)",
            "{ID_FORMAT}{user_id}",
        ),
        ("class A:\n    n = 0\n    def f(self):\n        A.n += 1\n        a_id = f'a{A.n}'", "a{counter}"),
        ("def f(x): user_id = f'u_{x}' if x else None", "u_{x}"),
        ("def f(n): user_ids = [f'u_{i}' for i in range(n)]", "u_{i}"),
    ],
)
def test_texts_are_followed_through_steps(code: str, template: str) -> None:
    assert template_of(code)[0] == template


@pytest.mark.parametrize(
    ("source", "bits"),
    [
        ("token_hex(4)", 32),
        ("token_hex(SIZE)", 48),
        ("token_hex(size)", 64),
        ("token_hex(nbytes=2 * 8)", 128),
        ("token_hex(other)", 256),
    ],
)
def test_the_size_of_a_token_is_a_constant_or_the_default_of_a_parameter(source: str, bits: int) -> None:
    code = f"from secrets import token_hex\nSIZE = 6\ndef f(other, size=8):\n    user_id = 'u_' + {source}"
    assert template_of(code)[1].endswith(f"with {bits} bits that vary")


def test_a_function_that_stands_in_for_a_missing_module_is_that_of_the_module() -> None:
    code = (
        "try:\n    from uuid6 import uuid7\nexcept ImportError:\n    def uuid7(): ...\n"
        "def f(): user_id = f'u_{uuid7()}'"
    )
    assert template_of(code)[0] == "u_{uuid7}"


def test_a_function_of_the_same_name_is_another_one() -> None:
    code = "from uuid6 import uuid7\ndef uuid7(): ...\ndef f(): user_id = f'u_{uuid7()}'"
    assert template_of(code)[0] == "u_{uuid7}" and "bits" not in template_of(code)[1]


def test_ids_are_written_out_in_tests_alone() -> None:
    code = b"user_id = 'user_123'"
    assert [each.code for each in scan("tests/test_a.py", code).drafts] == ["CID202"]
    assert not scan("app.py", code).drafts
