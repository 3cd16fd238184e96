"""The Python code of a Jupyter notebook, on the lines where the notebook's file holds it."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from typing import Any

MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
PYTHON_CELLS = ("time", "timeit", "capture", "prun")  # magics whose cells hold Python


def code_of(data: bytes) -> bytes:
    """The code cells as one module. Raises `ValueError` for what is no notebook.

    Where a notebook has one line of code on each line of its file (as Jupyter writes it), a line of the
    module has the number that it has in the file, and all other lines are empty. Otherwise the cells follow
    each other. Columns count in the code. Magics become `pass`; a cell that is no Python is left out,
    and so is all code in another language.
    """
    notebook = json.loads(data)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("it has no cells")
    if not _is_python(notebook.get("metadata")):
        return b"\n" * data.count(b"\n")
    sources = [_source(cell) for cell in notebook["cells"]]
    places = _places(data.decode("utf-8-sig"), sources)
    lines: list[str] = [""] * (data.count(b"\n") + 1) if places else []
    for number, (cell, source) in enumerate(zip(notebook["cells"], sources, strict=True)):
        code = _code(source) if cell.get("cell_type") == "code" else []
        if places:
            lines[places[number] : places[number] + len(code)] = code
        else:
            lines += code
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _is_python(metadata: Any) -> bool:
    """As long as it does not say otherwise."""
    about = metadata if isinstance(metadata, dict) else {}
    spec, info = about.get("kernelspec"), about.get("language_info")
    language = (isinstance(spec, dict) and spec.get("language")) or (
        isinstance(info, dict) and info.get("name")
    )
    return not isinstance(language, str) or language.lower() in ("python", "ipython")


def _source(cell: Any) -> list[str]:
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, str):
        source = source.splitlines(keepends=True)
    if not isinstance(source, list) or not all(isinstance(line, str) for line in source):
        raise ValueError("a cell has no source")
    lines = [line.removesuffix("\n") for line in source]
    return "\n".join(lines).split("\n") if lines else []


def _places(text: str, sources: Sequence[list[str]]) -> list[int] | None:
    """The index of the first line of each cell's source in the file; None unless all stand line by line."""
    places: list[int] = []
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        begin = lines[number].strip()
        number += 1
        if begin in ('"source": [],', '"source": []'):
            expected: list[str] = []
        elif begin == '"source": [' and len(places) < len(sources):
            expected = sources[len(places)]
        else:
            continue
        if len(places) == len(sources) or expected != sources[len(places)]:
            return None
        if [_text(line) for line in lines[number : number + len(expected)]] != expected:
            return None
        places.append(number)
        number += len(expected)
    return places if len(places) == len(sources) else None


def _text(line: str) -> str | None:
    """What a line of the file holds as a JSON text, without the line's end."""
    try:
        value = json.loads(line.strip().removesuffix(","))
    except ValueError:
        return None
    return value.removesuffix("\n") if isinstance(value, str) else None


def _code(source: list[str]) -> list[str]:
    """The lines of a cell as Python, or none of it."""
    lines = list(source)
    if lines and lines[0].startswith("%%"):
        if not lines[0][2:].strip().startswith(PYTHON_CELLS):
            return []
        lines[0] = "pass"
    if _is_code(lines):
        return lines
    lines = [MAGIC.sub(r"\1pass", line) for line in lines]
    return lines if _is_code(lines) else []


def _is_code(lines: list[str]) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse("\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True
