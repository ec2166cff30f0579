"""Hostile papers in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.e2e.pages import PAYLOADS, Made, found, opened

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("without_policy", [False, True])
def test_hostile_papers_run_nothing_load_nothing_and_stay_text(
    browser: Browser, made: Made, without_policy: bool
) -> None:
    """With the content security policy and, so that escaping is tested by itself, without it."""
    site = made.folder / "site"
    pages = [f"site/{room}/{path.name}" for room in ("pages", "bodies") for path in (site / room).iterdir()]
    assert len(pages) > 5 + len(PAYLOADS) // 2
    with opened(browser, without_policy=without_policy) as watched:
        page = watched.page
        for name in ("report.html", *pages, "site/index.html#q=hostile"):
            page.goto(f"{made.address}/{name}")
            if "index" in name:
                found(page, len(PAYLOADS))
            assert page.evaluate("window.hacked") is None, name
            assert page.evaluate(INTRUDERS) == [], name
        assert watched.messages == []
        assert watched.strangers(made.address + "/site/", made.address + "/report.html") == []


INTRUDERS = """() => [...document.querySelectorAll('body *')].filter(element =>
    ['script', 'iframe', 'object', 'embed', 'img', 'style', 'link', 'base', 'meta', 'mglyph', 'foreignobject']
        .includes(element.localName)
    || [...element.attributes].some(attribute => /^on/i.test(attribute.name)
        || /^\\s*(javascript|data|vbscript):/i.test(attribute.value) || attribute.name === 'style')
    || (element.localName === 'a' && !/^(https?|file):$/.test(element.protocol ?? 'https:'))
).map(element => element.outerHTML.slice(0, 200))"""
