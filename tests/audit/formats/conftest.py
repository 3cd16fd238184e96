"""A report with something of everything, and hostile sources."""

from typing import NamedTuple

import pytest

from canonid.audit.excerpts import Lines, lines_below
from canonid.audit.linking import link
from canonid.audit.report import Report
from canonid.audit.scanning import scan

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
FILES = {
    "app/ids.py": (
        "import uuid, time\n\n\n"
        "def make_user_id():\n"
        "    return f'user_{int(time.time())}_{uuid.uuid4().hex[:8]}'\n\n\n"
        "def twice():\n"
        "    print(uuid.uuid4())\n"
        "    print(uuid.uuid4())\n"
        "    nonce = uuid.uuid4().hex\n"
    ),
    "app/näme & co|<b>`x`.py": (
        "import uuid\n"
        f"user_id = '{HOSTILE}' + str(uuid.uuid4())  # \x1b[2J\x07 \u202egnp\n"
        f"run_id = f'''{HOSTILE}``` | {{uuid.uuid4()}}'''\n"
    ),
    "tests/test_ids.py": "import uuid\n\n\ndef test_it():\n    assert uuid.uuid4()\n",
    "broken.py": "def f(:\n  '<b>&'\n# uuid uuid4()\n",
}


class Audited(NamedTuple):
    report: Report
    lines_of: Lines


@pytest.fixture
def audited(tmp_path):
    facts = []
    for path, text in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        facts.append(scan(path, text.encode()))
    report = link(str(tmp_path), facts)
    assert {each.path for each in report.findings} == set(FILES)
    return Audited(report, lines_below(str(tmp_path)))
