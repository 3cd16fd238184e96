"""The page, in a real browser."""

import os
import shutil
from html.parser import HTMLParser

import pytest

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
def page(audited, tmp_path):
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
    count = len(audited.report.findings)

    def shown():
        return page.locator("article:visible").count()

    def told():
        return page.locator("#shown").inner_text()

    assert (shown(), told()) == (count, f"{count} of {count} shown")
    page.uncheck("[name=place][value=production]")
    assert shown() == sum(each.in_tests for each in audited.report.findings) > 0
    page.click("button[type=reset]")
    page.wait_for_function(f"document.getElementById('shown').textContent.startsWith('{count} of')")
    page.fill("#text", "MAKE_USER_ID")
    wanted = sum(each.symbol == "make_user_id" for each in audited.report.findings)
    assert shown() == wanted > 0
    page.uncheck("[name=category][value=hand-made]")
    assert shown() < wanted


@pytest.mark.browser
def test_it_fits_a_phone_loads_nothing_and_runs_nothing_of_the_sources(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert len(page.requests) == 1
    assert "</script><script>alert(1)</script>" in page.locator("#findings").text_content()
