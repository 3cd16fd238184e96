"""Notebooks as Python."""

import json

import pytest

from canonid.audit.examining import Task, examine
from canonid.audit.notebooks import code_of
from canonid.audit.packing import unpack


def cell(kind, source):
    return {"cell_type": kind, "metadata": {}, "source": source}


def notebook(*cells, language="python"):
    return {"cells": list(cells), "metadata": {"kernelspec": {"language": language}}, "nbformat": 4}


CELLS = [
    cell("markdown", ["import nothing\n", "text"]),
    cell("code", ["import uuid\n", "\n", 'x = f"job_{uuid.uuid4()}"']),
    cell("code", []),
    cell("code", ["%matplotlib inline\n", "for i in x:\n", "    !ls\n", "y = 2"]),
    cell("code", ["%%bash\n", "ls"]),
    cell("code", ["not python at all"]),
    cell("code", ["%%time\n", "z = 3\n"]),
]


def test_each_line_stands_where_the_file_has_it():
    text = json.dumps(notebook(*CELLS), indent=1)
    code = code_of(text.encode()).decode().split("\n")
    lines = text.split("\n")
    assert len(code) == len(lines)
    for number, line in enumerate(code):
        if line not in ("", "pass", "    pass"):
            assert json.dumps(line)[1:-1] in lines[number]
    assert [line for line in code if line] == [
        *(
            "import uuid",
            'x = f"job_{uuid.uuid4()}"',
            "pass",
            "for i in x:",
            "    pass",
            "y = 2",
            "pass",
            "z = 3",
        ),
    ]


def test_a_notebook_on_one_line_has_its_cells_one_after_another():
    code = code_of(json.dumps(notebook(cell("code", "a = 1\nb = 2"), cell("code", ["c = 3"]))).encode())
    assert code == b"a = 1\nb = 2\nc = 3"


def test_a_source_inside_an_output_does_not_shift_the_lines():
    told = {**cell("code", ["a = 1"]), "outputs": [{"data": {"source": ["a = 9"]}}]}
    assert code_of(json.dumps(notebook(told), indent=1).encode()).split() == [b"a", b"=", b"1"]


def test_another_language_has_no_code():
    assert code_of(json.dumps(notebook(cell("code", ["x = 1"]), language="R")).encode()).strip() == b""


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"cells": 1}', b'{"cells": [{}]}', b"\xff\xfe"])
def test_what_is_no_notebook_is_told(data):
    with pytest.raises(ValueError):
        code_of(data)


def test_a_notebook_nested_too_deeply_is_broken(tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text("[" * 100_000)
    assert unpack(examine(Task("a.ipynb", str(file), b"")).facts).error == "no notebook: nested too deeply"
