"""Markdown, read by an implementation of CommonMark."""

from markdown_it import MarkdownIt

from canonid.audit.formats.markdown import MOST, markdown
from canonid.audit.rules import BY_CODE


def tokens(audited, **options):
    text = "".join(markdown(audited.report, BY_CODE, audited.lines_of, **options))
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    return text, [each for token in parsed for each in (token, *(token.children or ()))]


def test_hostile_sources_stay_text(audited):
    _, found = tokens(audited, ignored=True)
    assert not [each for each in found if each.type in ("html_block", "html_inline", "image", "link_open")]


def test_excerpts_are_whole(audited):
    _, found = tokens(audited)
    fences = [each.content for each in found if each.type == "fence"]
    assert any("``` | {uuid.uuid4()}'''" in each for each in fences)
    assert any("return f'user_" in each for each in fences)


def test_every_finding_is_a_row_of_three_cells(audited):
    _, found = tokens(audited)
    start = next(place for place, each in enumerate(found) if each.content == "All findings")
    types = [each.type for each in found[start:]]
    assert types.count("tr_open") == len(audited.report.findings) + 1
    assert types.count("td_open") == 3 * len(audited.report.findings)


def test_a_long_list_ends(audited):
    many = [audited.report.findings[0]._replace(line=number) for number in range(1, MOST + 8)]
    text, _ = tokens(audited._replace(report=audited.report._replace(findings=many)))
    assert "7 more are not listed here." in text
