"""The desk's Markdown in a real browser: nothing is fetched, run or linked, and each piece of text knows its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CODE = Path(__file__).resolve().parents[2] / "pages" / "components" / "desk_js"
HARMLESS = {
    "P", "BR", "STRONG", "EM", "S", "CODE", "PRE", "UL", "OL", "LI", "BLOCKQUOTE", "H4", "HR", "TABLE", "TR", "TH", "TD", "DIV",
    "MARK", "SMALL", "TBODY",
}  # fmt: skip
WRITE = """([source, marks]) => {
  const box = document.createElement("div");
  document.body.append(box);
  const writer = writeFormatted(box, source, marks);
  const made = [...box.querySelectorAll("*")];
  return { html: box.innerHTML, tags: made.map((node) => node.tagName),
    attributes: made.flatMap((node) => node.getAttributeNames()),
    verbatim: writer.pieces.every(({ node, start }) => source.startsWith(node.data, start)) };
}"""
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "![x](https://evil.example/a.png) [go](javascript:alert(3)) <https://evil.example>",
    "[![x](https://evil.example/a.png)](https://evil.example)",
    "> " * 60 + "deep\n" + "- " * 60 + "deep",
    "*" * 5000 + "\n" + "`" * 5000 + "\n" + "[" * 5000 + "\n" + "**a*" * 3000,
    "| a | b |\n|---|---|\n| <b>x</b> | [y](data:text/html,z) |",
    "```html\n<iframe src='https://evil.example'></iframe>",
)


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    shown = chromium.new_page()
    for part in ("1_text.js", "2_markdown.js"):
        shown.add_script_tag(content=(CODE / part).read_text(encoding="utf-8"))
    yield shown
    shown.close()


def written(page: Page, source: str, *marks: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(WRITE, [source, list(marks)])
    return found


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_becomes_harmless_elements_of_verbatim_text(page: Page, source: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = written(page, source)
    assert set(found["tags"]) <= HARMLESS
    assert set(found["attributes"]) <= {"class", "start"}
    assert found["verbatim"]
    assert asked == []


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("**bold** and *thin* and `co*de*`", "<p><strong>bold</strong> and <em>thin</em> and <code>co*de*</code></p>"),
        ("***", "<hr>"),
        ("2 * 3 * 4 and snake_case_name", "<p>2 * 3 * 4 and snake_case_name</p>"),
        ("# Title\ntext", '<h4 class="md-1">Title</h4><p>text</p>'),
        ("1. a\n2. b\n   - c", '<ol start="1"><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li></ol>'),
        ("> quoted\n> more", "<blockquote><p>quoted<br>more</p></blockquote>"),
        ("see [our page](https://a.example/b)", "<p>see our page (https://a.example/b)</p>"),
        ("![a cat](c.png)", "<p>Picture: a cat (c.png)</p>"),
        (r"\*not thin\*", "<p>*not thin*</p>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |",
         '<div class="wide"><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></div>'),
    ],
)  # fmt: skip
def test_what_people_write_is_formatted(page: Page, source: str, html: str) -> None:
    assert written(page, source)["html"] == html


def test_a_marked_passage_is_outlined_across_formatting(page: Page) -> None:
    found = written(page, "a **bold** word", {"start": 4, "end": 12, "reason": "Rude"})
    assert found["html"] == "<p>a <strong><mark>bold</mark></strong><mark> w<small>Rude</small></mark>ord</p>"


def test_characters_beyond_the_basic_plane_count_once(page: Page) -> None:
    assert page.evaluate("[toPoints('🚚🚚 late', 5), toUnits('🚚🚚 late', 3)]") == [3, 5]
