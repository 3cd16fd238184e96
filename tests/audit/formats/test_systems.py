"""The ID systems side by side, in every format that shows them."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from canonid.audit.excerpts import width
from canonid.audit.formats.html import html
from canonid.audit.formats.markdown import markdown
from canonid.audit.formats.picture import picture
from canonid.audit.formats.records import one_json
from canonid.audit.formats.side_by_side import systems_in_full, systems_in_rows
from canonid.audit.formats.terminal import Screen, terminal
from canonid.audit.linking import link
from canonid.audit.rules import BY_CODE
from canonid.audit.scanning import scan

CHAT = Path(__file__).parents[1] / "projects" / "chat"
NAMES = ("UnifiedIDManager", "UnifiedIdGenerator", "auth_service/auth_ids.py")
HOSTILE = '<b onclick="x">`|\x1b[2J\u202e'


@pytest.fixture(scope="module")
def report():
    files = sorted(CHAT.rglob("*.py"))
    return link(str(CHAT), [scan(path.relative_to(CHAT).as_posix(), path.read_bytes()) for path in files])


@pytest.fixture
def crowded(report):
    """Twelve systems, with names that no one gives to a system."""
    first = report.systems[0]
    services = [(f"{HOSTILE}{number}", 10 * number) for number in range(9, 0, -1)]
    many = [
        first._replace(
            name=f"{HOSTILE}{number}" * number,
            calls=450 // number,
            services=services if number == 1 else services[-1:],
            primary=number == 3,
            templates=(HOSTILE, "x" * 300),
        )
        for number in range(1, 13)
    ]
    return report._replace(systems=many)


def shown(report, columns, rows=None):
    return "".join(terminal(report, BY_CODE, lambda path: [], Screen(columns, rows), ["next"])).splitlines()


def test_a_terminal_shows_them_side_by_side(report):
    text = "\n".join(shown(report, 100))
    assert all(name in text for name in NAMES)
    assert "UnifiedIDManager  shared/id_manager.py: 10 calls in 2 files, 4 in tests" in text
    assert "thread_{ms}_{hex8}" in text
    assert "by service: backend 7, auth_service 3" in text
    assert "* cheapest to move to: 10 calls in 2 files already; its weakest IDs vary in 32 bits" in text


def test_a_smaller_screen_shows_a_table_of_them(report):
    lines = shown(report, 100, 40)
    assert len(lines) < 40
    row = next(line for line in lines if "UnifiedIDManager " in line)
    assert row.split()[:5] == ["*", "UnifiedIDManager", "10", "2", "4"]


def test_the_smallest_screen_names_them(report):
    lines = shown(report, 80, 24)
    assert len(lines) < 24
    assert "*UnifiedIDManager 10, UnifiedIdGenerator 5" in "\n".join(lines)


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
@pytest.mark.parametrize("rows", [24, 40, None])
def test_a_crowd_fits_too(crowded, columns, rows):
    lines = shown(crowded, columns, rows)
    assert rows is None or len(lines) < rows
    assert max(width(line) for line in lines) <= columns
    assert all(line.isprintable() for line in lines)


def test_where_there_is_none_nothing_is_said():
    assert [*systems_in_full([], 80), *systems_in_rows([], 80), *picture([])] == []


def test_markdown_has_a_table_of_them(report, crowded):
    rendered = (
        MarkdownIt("commonmark").enable("table").render("".join(markdown(report, BY_CODE, lambda path: [])))
    )
    assert "<td>UnifiedIDManager in <code>shared/id_manager.py</code></td>" in rendered
    assert "is <strong>UnifiedIDManager</strong>: 10 calls" in rendered
    hostile = "".join(markdown(crowded, BY_CODE, lambda path: []))
    assert "<b" not in MarkdownIt("commonmark").enable("table").render(hostile)


def test_json_has_all_of_them(report):
    systems = json.loads("".join(one_json(report)))["systems"]
    assert [each["name"] for each in systems[:3]] == list(NAMES)
    assert systems[0]["services"] == {"backend": 7, "auth_service": 3}
    assert systems[0]["primary"] is True
    assert systems[0]["place"]["line"] == 22


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_has_a_picture_of_them(report):
    reader = Reader()
    reader.feed("".join(picture(report.systems)))
    bars = [attrs for tag, attrs in reader.seen if tag == "svg" and attrs.get("role") == "img"]
    assert len(bars) == 3
    assert "UnifiedIDManager: 7 in backend, 3 in auth_service, 4 in tests" in reader.text
    widths = [float(attrs["width"][:-1]) for tag, attrs in reader.seen if tag == "rect" and "x" in attrs]
    assert widths[:3] == [50.0, 21.43, 28.57]


def test_a_crowd_makes_no_element_of_its_own(crowded):
    reader = Reader()
    reader.feed("".join(html(crowded, BY_CODE, lambda path: [])))
    assert not [attrs for _, attrs in reader.seen if "onclick" in attrs]
    pictured = Reader()
    pictured.feed("".join(picture(crowded.systems)))
    assert "4 other services" in pictured.text
    assert {tag for tag, _ in pictured.seen} == {
        *("section", "h2", "ol", "li", "p", "strong", "code", "small", "svg", "title", "rect", "span")
    }
