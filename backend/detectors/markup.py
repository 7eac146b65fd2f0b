"""Left-overs of HTML in a text: tags, entities, scripts and style sheets; and the signs by which models mark turns. Pure.

One finding from the first left-over to the last, with the cleaned text as its proposal. Code is left alone: what stands in
fences or back ticks, and whole conversations that talk of code. A "<" that begins no tag that HTML knows is a sign like any
other. Not promised: that what was a table still reads as one.
"""

from __future__ import annotations

import html
import re

from backend.detectors.signs import evened, holds_any

NAMES = (
    "a", "abbr", "address", "article", "aside", "b", "big", "blockquote", "body", "br", "button", "center", "cite", "code",
    "col", "colgroup", "dd", "div", "dl", "dt", "em", "fieldset", "figure", "font", "footer", "form", "h[1-6]", "head",
    "header", "hr", "html", "i", "iframe", "img", "input", "ins", "label", "li", "link", "main", "mark", "meta", "nav", "o:p",
    "ol",
    "option", "p", "pre", "s", "section", "select", "small", "span", "strike", "strong", "sub", "sup", "svg", "table", "tbody",
    "td", "textarea", "tfoot", "th", "thead", "title", "tr", "tt", "u", "ul", "video",
)  # fmt: skip
_TAG = rf"</?(?:{'|'.join(NAMES)})(?:\s[^<>=]{{0,40}}=[^<>]*)?\s*/?>"
# a block ends before the next one begins, so that many which never end cost no more than one
_BLOCK = r"<(script|style)\b[^<>]*>(?:(?!<(?:script|style)\b).)*?</\1\s*>"
_OTHER = r"<!--(?:(?!<!--).)*?-->|<!doctype[^>]*>|<!\[CDATA\[|\]\]>"
_ENTITY = (
    r"&(?:nbsp|amp|lt|gt|quot|apos|rsquo|lsquo|ldquo|rdquo|ndash|mdash|hellip|bull|middot|copy|reg|trade|euro|pound|yen|cent|"
    r"sect|deg|laquo|raquo|times|shy|zwnj|[aeiou](?:acute|grave|circ|uml|tilde)|ntilde|ccedil|szlig|aring|aelig|oslash|"
    r"#\d{2,6}|#x[0-9a-f]{2,5});"
)
_TURNS = r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</s>"  # by which language models mark turns
_STYLE = r"^[ \t]*(?:[.#@]?[\w.#:,>\-\s*]{0,80})\{(?:\s*[a-z-]+\s*:\s*[^{};\n]+;?)+\s*\}[ \t]*$"  # p.MsoNormal {margin: 0cm;}
_LEFTOVER = re.compile("|".join((_TURNS, _BLOCK, _OTHER, _TAG, _ENTITY, _STYLE)), re.IGNORECASE | re.DOTALL | re.MULTILINE)
_LINE_ENDS = re.compile(
    r"<br\b|</(?:p|div|li|tr|h[1-6]|table|ul|ol|dl|dd|dt|blockquote|section|article|header|footer|title)\b|<hr\b", re.IGNORECASE
)
_ITEM, _CELL = re.compile(r"<li\b", re.IGNORECASE), re.compile(r"</t[dh]\b", re.IGNORECASE)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_TALKS_OF_CODE = re.compile(
    r"\b(?:html5?|css|xml|xhtml|jsx|php|javascript|typescript|jquery|angular(?:js)?|json|yaml|markdown|regex(?:es)?|svg|latex|sql|"
    r"python|c\+\+|java|source code|code snippets?|snippets?|pseudo-?code|"
    r"(?:write|create|generate|build|edit|debug|explain|implement|code)\b[^.?!\n]{0,60}\b(?:code|programs?|functions?|scripts?)|"
    r"(?:write|create|generate|build|design|develop|code|make) (?:me )?(?:a|an|the)(?: [\w-]+){0,3} (?:web ?)?(?:page|site))\b",
    re.IGNORECASE,
)
"""Promo codes, pages and websites alone are what customers talk of as well."""
CODE_SIGNS = (
    "html", "css", "xml", "jsx", "php", "script", "jquery", "angular", "json", "yaml", "markdown", "regex", "svg", "latex",
    "sql", "python", "c++", "java", "code", "snippet", "program", "function", "page", "site",
)  # fmt: skip


def talks_of_code(text: str) -> bool:
    """Whether somebody who writes this asks for code, in which tags and braces are meant."""
    return holds_any(evened(text), CODE_SIGNS) and _TALKS_OF_CODE.search(text) is not None


def find_markup(text: str) -> tuple[int, int, str, str] | None:
    """(start, end, the cleaned text, why) of the span that holds all left-overs, or None."""
    if not any(sign in text for sign in ("<", "&", "{", "INST]")):
        return None
    code = [match.span() for match in _CODE.finditer(text)]
    hits = [
        match
        for match in _LEFTOVER.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in code)
    ]
    if not hits:
        return None
    start, end = hits[0].start(), hits[-1].end()
    pieces, position = [], start
    for hit in hits:
        pieces += [text[position : hit.start()], _instead(hit[0])]
        position = hit.end()
    cleaned = _tidied("".join(pieces))
    if not text[end:].strip():
        cleaned = cleaned.rstrip()
    return start, end, cleaned if text[:start].strip() else cleaned.lstrip(), _why(hits)


def _instead(leftover: str) -> str:
    if leftover.startswith("&"):
        said = html.unescape(leftover)
        return {"\xa0": " ", "\xad": "", "\u200c": ""}.get(said, said)
    if _LINE_ENDS.match(leftover):
        return "\n"
    if _ITEM.match(leftover):
        return "- "
    return " " if _CELL.match(leftover) else ""


def _tidied(text: str) -> str:
    """Without the blanks and empty lines that tags leave behind."""
    text = re.sub(r"[ \t]{2,}", " ", text)
    return re.sub(r"\n[ \t]*(?:\n[ \t]*){2,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text))


def _why(hits: list[re.Match[str]]) -> str:
    tags = sum(hit[0].startswith(("<", "[")) for hit in hits)
    signs = sum(hit[0].startswith("&") for hit in hits)
    parts = ((tags, "tag"), (signs, "character code"), (len(hits) - tags - signs, "style rule"))
    said = [f"{count} {word}{'s' if count > 1 else ''}" for count, word in parts if count]
    return f"Left over from a web page, a mail or a model: {', '.join(said)}."
