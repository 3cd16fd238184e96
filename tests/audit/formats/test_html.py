"""The page, in a real browser."""

import os
import shutil
from html.parser import HTMLParser

import pytest
from playwright.sync_api import expect

from canonid.audit.formats.html import html
from canonid.audit.rules import BY_CODE

CHROMIUM = shutil.which(os.environ.get("GOLDENPATH_CHROMIUM", "chromium"))


def page_of(audited):
    return "".join(html(audited.report, BY_CODE, audited.lines_of, ignored=True))


def test_hostile_sources_make_no_element(audited):
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append((tag, dict(attrs)))

    Reader().feed(page_of(audited))
    assert sum(tag == "script" for tag, _ in seen) == 1
    assert not {tag for tag, _ in seen} & {"img", "link", "iframe", "object", "embed"}
    assert sum(tag == "b" for tag, _ in seen) == 3  # the page's own
    assert not [
        each for _, attrs in seen for each in attrs if each.startswith("on") or each in ("src", "href")
    ]
    assert sum(tag == "article" for tag, _ in seen) == len(audited.report.findings)


def test_the_same_report_gives_the_same_page(audited):
    assert page_of(audited) == page_of(audited)


@pytest.fixture
def crowd(audited):
    """Five thousand findings, the last of them in a place of its own."""
    one = audited.report.findings[0]
    many = [one._replace(line=number) for number in range(1, 5001)]
    last = one._replace(path="z/last.py", line=1)
    return audited._replace(report=audited.report._replace(findings=[*many, last]))


@pytest.fixture
def crowded_page(crowd, tmp_path):
    yield from opened(crowd, tmp_path)


@pytest.fixture
def page(audited, tmp_path):
    yield from opened(audited, tmp_path)


def opened(audited, tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    from playwright.sync_api import sync_playwright

    path = tmp_path / "audit.html"
    path.write_text(page_of(audited), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 375, "height": 700})
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (page.complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()


@pytest.mark.browser
def test_findings_are_filtered(page, audited):
    findings = audited.report.findings

    def expect_shown(count):
        expect(page.locator("#shown")).to_have_text(f"{count} of {len(findings)} shown")
        assert page.locator("article:visible").count() == count > 0

    expect_shown(len(findings))
    page.uncheck("[name=place][value=production]")
    expect_shown(sum(each.in_tests for each in findings))
    page.click("button[type=reset]")
    expect_shown(len(findings))
    page.fill("#text", "MAKE_USER_ID")
    meant = [each for each in findings if each.symbol == "make_user_id"]
    expect_shown(len(meant))
    page.uncheck("[name=category][value=hand-made]")
    expect_shown(sum(each.category != "hand-made" for each in meant))


@pytest.mark.browser
def test_it_fits_a_phone_loads_nothing_and_runs_nothing_of_the_sources(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1
    assert "</script><script>alert(1)</script>" in page.locator("#findings").text_content()


@pytest.mark.browser
def test_of_a_crowd_a_part_is_shown_and_all_is_found(crowded_page):
    page = crowded_page
    expect(page.locator("#shown")).to_have_text("5,001 of 5,001 found, the first 500 shown")
    assert page.evaluate("document.querySelectorAll('article:not([hidden])').length") == 500
    page.click("#more")
    assert page.evaluate("document.querySelectorAll('article:not([hidden])').length") == 1000
    page.fill("#text", "z/last.py")
    expect(page.locator("#shown")).to_have_text("1 of 5,001 shown")
    assert page.locator("article:visible").count() == 1
    assert page.locator("#more").is_hidden()


@pytest.mark.browser
def test_printed_it_has_the_findings_and_no_filters(page):
    page.emulate_media(media="print")
    assert page.locator("#filters").is_hidden()
    assert page.locator("article:visible").count() > 0
