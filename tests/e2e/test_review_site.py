"""The review site in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.pages import PAYLOADS, PER_PAGE, UNREADABLE, Made, Theme, found, opened, overflow, site

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_review_pages_open_without_a_word_and_draw_their_formulas(
    browser: Browser, made: Made, width: int, theme: Theme
) -> None:
    with opened(browser, width=width, theme=theme) as watched:
        watched.page.goto(site(made, "pages/0001.html"))
        assert watched.messages == []
        assert watched.strangers(site(made, "")) == []
        assert overflow(watched.page) <= 0
        assert watched.page.locator("article").count() == PER_PAGE
        box = watched.page.locator("article math[display=block] mfrac").first.bounding_box()
        assert box is not None
        assert box["height"] > 20
        assert watched.page.locator("#p3 mark[data-check=numbers]").all_text_contents() == ["12"]


def test_the_front_page_leads_to_flagged_papers_fields_the_newest_and_a_page(
    browser: Browser, made: Made
) -> None:
    flagged = 3 + len(PAYLOADS)
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made))
        assert page.locator("h2").all_text_contents()[:5] == [
            f"Flagged ({flagged})", "Search", "Newest", "Fields", "Pages"
        ]  # fmt: skip
        assert page.locator("#flagged li > a[href^=pages]").first.text_content() == "Optical method 3"
        assert page.locator("#newest li > a").first.text_content() == "Soil survey 30"
        page.click("text=all of them")
        assert len(found(page, flagged)) == flagged
        page.click("text=numbers (3)")
        assert found(page, 3) == ["Optical method 3", "Optical method 13", "Optical method 23"]
        expect(page.locator("#find")).to_be_in_viewport()
        page.click("#fields >> text=soil (14)")
        assert len(found(page, 14)) == 14
        page.fill("#goto input", "3")
        page.click("#goto button")
        page.wait_for_url("**/pages/0003.html")
        expect(page.locator("header nav h1")).to_have_text("Page 3 of 5")
        assert watched.messages == []


@pytest.mark.parametrize(("width", "columns"), [(400, 1), (900, 1), (1200, 2), (1880, 2)])
def test_a_wide_window_has_two_columns_of_papers(
    browser: Browser, made: Made, width: int, columns: int
) -> None:
    with opened(browser, width=width) as watched:
        watched.page.goto(site(made))
        for name in ("flagged", "newest"):
            lefts = watched.page.locator(f"#{name} .papers li").evaluate_all(
                "all => all.map(each => Math.round(each.getBoundingClientRect().left))"
            )
            assert len(lefts) > 2
            assert len(set(lefts)) == columns, name
        assert overflow(watched.page) <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 400])
def test_a_whole_paper_is_drawn_and_can_be_read(
    browser: Browser, made: Made, width: int, theme: Theme
) -> None:
    with opened(browser, width=width, theme=theme) as watched:
        page = watched.page
        page.goto(site(made, "pages/0001.html"))
        page.locator("#p1 summary").click()
        body = page.locator("#p1 .body")
        assert body.locator("h3").all_text_contents() == ["引言", "Introduction"]
        for drawn in ("ul math msup", "blockquote a", ".image", "table th", "code"):
            assert body.locator(drawn).first.is_visible(), drawn
        assert overflow(page) <= 0
        assert page.evaluate(UNREADABLE) == []
        page.emulate_media(media="print")
        assert not page.locator("#p1 summary").is_visible()
        assert body.locator("h3").first.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 400])
def test_a_body_s_own_page_pairs_its_blocks_and_greys_what_was_kept(
    browser: Browser, made: Made, width: int, theme: Theme
) -> None:
    with opened(browser, width=width, theme=theme) as watched:
        page = watched.page
        page.goto(site(made, "pages/0001.html"))
        page.click("#p2 .whole-paper a")
        page.wait_for_url("**/bodies/2.html")
        assert page.locator("section.pair").count() == 18
        assert page.locator(".rule").first.text_content() == "kept: mathematics"
        source, result = page.locator("#b8 td[rowspan='2']").all()
        assert (source.text_content(), result.text_content()) == ("组别", "words")
        top = [each.bounding_box() for each in page.locator("#b1 .side").all()]
        assert all(top)
        assert (top[0]["y"] == top[1]["y"]) == (width == 1440)
        kept = [each.is_visible() for each in page.locator(".kept").first.locator(".side").all()]
        assert kept == [width == 1440, True], "one below the other it would stand there twice"
        assert overflow(page) <= 0
        assert page.evaluate(UNREADABLE) == []
        page.click("text=Back to the paper >> nth=0")
        page.wait_for_url("**/pages/0001.html#p2")
        assert watched.messages == []
        assert watched.strangers(site(made, "")) == []


def test_without_script_the_front_page_still_leads_to_papers(browser: Browser, made: Made) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site(made))
    assert page.locator("form:visible").count() == 0
    assert page.locator("#flagged li > a[href^=pages]").count() == 10
    page.click("nav.pages a >> nth=1")
    page.wait_for_url("**/pages/0002.html")
    context.close()


def test_the_site_works_from_a_folder_too(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto((made.folder / "site" / "index.html").as_uri())
        watched.page.fill("input[name=q]", "optical")
        watched.page.locator("#results li").first.wait_for()
        assert watched.messages == []
        assert watched.strangers("file://") == []


def test_search_and_filters_find_papers_by_words_check_field_language_and_cost(
    browser: Browser, made: Made
) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made))
        page.fill("input[name=q]", "soil survey 2")
        assert found(page, 6)[0] == "Soil survey 2"
        page.fill("input[name=q]", "土壤")
        assert len(found(page, 14)) == 14
        page.click("button[type=reset]")
        page.select_option("select[name=check]", "numbers fail")
        assert found(page, 3) == ["Optical method 3", "Optical method 13", "Optical method 23"]
        page.select_option("select[name=language]", "ja")
        assert found(page, 0) == []
        page.select_option("select[name=check]", "")
        assert found(page, 1) == ["Optical method 5"]
        page.click("button[type=reset]")
        page.select_option("select[name=field]", "soil")
        assert len(found(page, 14)) == 14
        page.click("button[type=reset]")
        page.fill("input[name=cost]", "0.0015")
        assert len(found(page, 3 + len(PAYLOADS))) == 3 + len(PAYLOADS)
        assert watched.messages == []


def test_search_finds_words_of_abstracts_by_their_beginning_in_both_languages(
    browser: Browser, made: Made
) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made))
        for query, titles in (
            ("spectrom", ["Optical method 7"]),
            ("石墨烯", ["Optical method 9"]),
            ("spectrom 石墨烯", []),
            ("ＯＰＴＩＣＡＬ 石墨烯 paper-009", ["Optical method 9"]),
            ("T75 optical", ["Optical method 7"]),
            ("constructor __proto__", []),
        ):
            page.fill("input[name=q]", query)
            expect(page.locator("#results a")).to_have_text(titles)
            found(page, len(titles))
        assert watched.messages == []


def test_a_search_can_be_kept_as_a_link_and_asks_for_a_few_files_only(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made, "index.html#q=spectrometers&check="))
        assert found(page, 1) == ["Optical method 7"]
        loaded = [url.rpartition("/")[2] for url in watched.requests if "/search/" in url]
        assert len(loaded) == 2
        assert loaded[0] == "0000.js"


def test_what_a_check_saw_is_marked_where_it_stands(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made, "pages/0003.html"))
        paper = page.locator("#p22")
        assert "paper-023" in (paper.locator("h2").text_content() or "")
        source, result = paper.locator(".abstract .side").all()
        assert source.locator("mark").all_text_contents() == ["12"]
        assert result.locator("mark").count() == 0
        assert paper.locator(".title .whole").all_text_contents() == ["length: the whole text"]
        assert paper.locator(".whole").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_of_the_site_has_the_contrast_of_wcag_aa(
    browser: Browser, made: Made, theme: Theme
) -> None:
    with opened(browser, theme=theme) as watched:
        page = watched.page
        for name in ("pages/0001.html", "pages/0003.html", "index.html#q=optical"):
            page.goto(site(made, name))
            if "index" in name:
                found(page, 15)
                page.keyboard.press("Escape")
            page.keyboard.press("?")
            assert page.locator("dialog").is_visible()
            assert page.evaluate(UNREADABLE) == [], name


def test_keys_move_through_papers_pages_results_and_back_to_the_search(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        page = watched.page
        page.goto(site(made, "pages/0001.html"))
        for key in ("j", "j", "j", "k"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == "p2"
        page.keyboard.press("?")
        assert page.locator("dialog").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()
        page.keyboard.press("n")
        page.wait_for_url("**/0002.html*")
        page.keyboard.press("p")
        page.wait_for_url("**/0001.html*")
        page.keyboard.press("/")
        page.wait_for_url("**/index.html*")
        expect(page.locator("input[name=q]")).to_be_focused()
        page.keyboard.type("optical")
        found(page, 15)
        page.keyboard.press("Escape")
        for _ in range(2):
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/0001.html#p3")
        page.keyboard.press("J")
        page.wait_for_url("**/0001.html#p5")
        assert watched.messages == []


def test_the_last_paper_of_a_page_leads_to_the_next_page(browser: Browser, made: Made) -> None:
    with opened(browser) as watched:
        watched.page.goto(site(made, f"pages/0001.html#p{PER_PAGE}"))
        watched.page.keyboard.press("j")
        watched.page.wait_for_url("**/0002.html*")
        expect(watched.page.locator(f"#p{PER_PAGE + 1}")).to_be_focused()
        watched.page.keyboard.press("k")
        watched.page.wait_for_url("**/0001.html*")
        expect(watched.page.locator(f"#p{PER_PAGE}")).to_be_focused()
