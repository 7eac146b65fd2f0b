"""Boilerplate: signatures, closings, confidentiality notices and unsubscribe footers that mail programs add. Pure.

Each is a span to take away, with the white space before it. Where somebody asks for a letter, closings are what they asked for
and are left alone. A text that is nothing but boilerplate gets a finding without a proposal, since a message must not be empty.
Not promised: notices in languages other than English, German, French, Spanish, Italian, Portuguese and Dutch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.detectors.signs import evened, holds_any

_DEVICE = re.compile(
    r"^[ \t>]*(?:sent (?:from|via|using) (?:my|the|a) .{2,40}|get outlook for .{2,20}|von meinem .{2,40} gesendet|"
    r"gesendet (?:von|mit) .{2,30}|envoyé (?:de|depuis) mon .{2,30}|enviado (?:desde|do|de) (?:mi|meu) .{2,30}|"
    r"inviato da(?:l mio)? .{2,30}|verzonden vanaf mijn .{2,30})[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
DEVICE_SIGNS = ("sent ", "get outlook", "gesendet", "envoy", "enviado", "inviato", "verzonden")
_DELIMITER = re.compile(r"^--[ \t]*$", re.MULTILINE)
_NOTICE = re.compile(
    r"\bthis (?:e-?mail|message|communication)\b[^.\n]{0,120}\b(?:confidential|privileged|intended (?:solely|only))|"
    r"\bintended (?:solely|only|exclusively) for (?:the )?(?:use of |attention of )?(?:the )?"
    r"(?:addressee|named|individual|recipient|intended|person)|"
    r"\bif you (?:are not|have received this|received this)\b[^.\n]{0,40}\b(?:intended recipient|in error)|"
    r"\bplease consider the environment before printing|"
    r"\bdiese (?:e-?mail|nachricht)\b[^.\n]{0,80}\bvertraulich|\bnicht der richtige adressat|"
    r"\bce (?:message|courriel|mail|courrier)\b[^.\n]{0,120}\bconfidentiel|"
    r"\best[ea] (?:mensaje|correo|mensagem|e-?mail)\b[^.\n]{0,120}\bconfidencia|"
    r"\b(?:questo messaggio|questa e-?mail|la presente)\b[^.\n]{0,120}\bconfidenzial|"
    r"\bdit (?:e-?mail|bericht)[^.\n]{0,80}\bvertrouwelijk",
    re.IGNORECASE,
)
NOTICE_SIGNS = (
    "confidential", "privileged", "intended", "in error", "before printing", "vertraulich", "richtige adressat",
    "confidentiel", "confidencia", "confidenzial", "vertrouwelijk",
)  # fmt: skip
_FOOTER = re.compile(
    r"\bclick here to unsubscribe|"
    r"\bto unsubscribe(?: from (?:this|these|our) [\w -]{2,30})?,? (?:please )?(?:click|reply|follow|visit)|"
    r"^[^\w\n]{0,10}unsubscribe\b.{0,40}$|"
    r"\byou(?:'re| are)? (?:receiving|received|getting) this (?:e-?mail|message|newsletter) because|"
    r"\bmanage (?:your )?(?:e-?mail |subscription )?preferences\b|\bview (?:this )?(?:e-?mail )?in (?:your |a )?browser\b|"
    r"©.{0,60}\ball rights reserved|\ball rights reserved[^\w\n]*$|"
    r"\bnewsletter abbestellen\b|\bse désabonner\b|\bdarse de baja\b",
    re.IGNORECASE | re.MULTILINE,
)
FOOTER_SIGNS = (
    "unsubscribe", "receiving this", "received this", "getting this", "preferences", "browser", "rights reserved",
    "abbestellen", "désabonner", "darse de baja",
)  # fmt: skip
_CLOSING = (
    r"(?:(?:best|kind|kindest|warm|warmest)(?: regards| wishes)?|with (?:best|kind|warm) (?:regards|wishes)|regards|"
    r"many thanks|(?:many )?thanks (?:and|&) (?:best |kind )?regards|"
    r"(?:yours )?(?:truly|sincerely|faithfully)(?: yours)?|respectfully(?: yours)?|cheers|all the best|"
    r"(?:mit )?(?:freundliche[nr]?|beste[nr]?|viele[nr]?|liebe[nr]?|herzliche[nr]?) gr(?:ü|ue)(?:ß|ss)en?|"
    r"(?:bien )?cordialement|bien à vous|salutations distinguées|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|"
    r"cordiali saluti|distinti saluti|atenciosamente|cumprimentos|met vriendelijke groet(?:en)?)"
)
_THANKS = r"(?:thanks|thank you|thx|danke|merci|gracias|grazie|obrigad[oa])(?: (?:so much|very much|again|in advance|a lot))?"
_SIGNED = re.compile(
    rf"^[ \t]*(?:{_CLOSING}[ \t]*[,.!]?|{_THANKS}[ \t]*,)[ \t]*(?:\n[ \t]*)+(?P<below>[^\n]+(?:\n[^\n]*)*)\Z",
    re.IGNORECASE | re.MULTILINE,
)
_ON_ONE_LINE = re.compile(rf"^[ \t]*(?i:{_CLOSING}),?[ \t]+[A-Z][\w'’-]+(?: [A-Z][\w'’.-]*){{0,3}}[ \t]*\Z", re.MULTILINE)
_BARE = re.compile(rf"^[ \t]*{_CLOSING}[ \t]*[,.!]?[ \t]*\Z", re.IGNORECASE | re.MULTILINE)
_WANTS_A_TEXT = re.compile(
    r"\b(?:write|compose|draft|create|generate|craft|edit|rewrite|re-?phrase|paraphrase|proof-?read|summari[sz]e|translate|"
    r"formulate|come up with|suggest|design|construct|develop|schreib\w*|écri\w*|redact\w*|escrib\w*)\b[^.?!\n]{0,80}\b"
    r"(?:letters?|e-?mails?(?! address)|memo|note|message|invitation|invite|reply|response|template|speech|announcement|"
    r"proposal|poem|postcard|card|apology|review|complaint|résumé|resume|application|newsletter|report|story|article|essay|document|"
    r"disclaimer|notice|brief|text|paragraph|anschreiben|brief|lettre|carta|lettera)\b",
    re.IGNORECASE,
)
WRITING_SIGNS = (
    "write", "compose", "draft", "create", "generate", "craft", "edit", "phrase", "proof", "summar", "translate", "formulate",
    "come up", "suggest", "design", "construct", "develop", "schreib", "écri", "redact", "escrib",
)  # fmt: skip
_MOST_LINES, _LONGEST_LINE, _LONGEST_SIGNATURE, _FEW_WORDS = 6, 60, 600, 3


def asks_for_writing(text: str) -> bool:
    """Whether somebody asks for a letter or another text, of which closings and notices are a part."""
    return holds_any(evened(text), WRITING_SIGNS) and _WANTS_A_TEXT.search(text) is not None


def is_signature_mark(line: str) -> bool:
    """Whether a line begins a signature, or is the one that a mail program adds."""
    return _DELIMITER.fullmatch(line) is not None or _DEVICE.fullmatch(line) is not None


def is_closing(line: str) -> bool:
    """Whether a line is a letter's closing and nothing else: “Best regards,”."""
    return _BARE.fullmatch(line) is not None


def find_boilerplate(text: str, *, is_wanted: bool = False) -> list[tuple[int, int, str]]:
    """(start, end, why) of each block; they do not overlap, and each begins with the white space before it. Where letters
    are wanted, only what no letter has of its own.
    """
    found: list[tuple[int, int, str]] = []
    reach = 0
    for start, end, why in sorted(_devices(text) if is_wanted else _blocks(text)):
        start = max(reach, len(text[:start].rstrip()))
        if end > start:
            found.append((start, end, why))
            reach = end
    return found


def _devices(text: str) -> Iterator[tuple[int, int, str]]:
    if not holds_any(evened(text), DEVICE_SIGNS):
        return iter(())
    return ((*match.span(), "A mail program's signature.") for match in _DEVICE.finditer(text))


def _blocks(text: str) -> Iterator[tuple[int, int, str]]:
    yield from _devices(text)
    has_lines = "\n" in text.strip()  # what stands below something needs a line above it
    if has_lines:
        yield from _signature(text)
    plain = evened(text)
    for pattern, signs, why in (
        (_NOTICE, NOTICE_SIGNS, "A confidentiality notice."),
        (_FOOTER, FOOTER_SIGNS, "A newsletter's footer."),
    ):
        for match in pattern.finditer(text) if holds_any(plain, signs) else ():
            start, end = _paragraph(text, match.start())
            # a sentence about unsubscribing in the midst of an answer is an answer
            if pattern is _NOTICE or (text[:start].strip() and (not text[end:].strip() or _is_short(text[start:end]))):
                yield start, end, why
    if has_lines:
        yield from _closing(text)


def _signature(text: str) -> Iterator[tuple[int, int, str]]:
    """What stands below the line "-- ", by which mail programs mark it."""
    for match in _DELIMITER.finditer(text):
        below = text[match.end() :].strip()
        if below and len(below) <= _LONGEST_SIGNATURE and text[: match.start()].strip():
            yield match.start(), len(text), "A signature below its mark."
            return


def _closing(text: str) -> Iterator[tuple[int, int, str]]:
    """“Best regards, …” at the end, with the name and the few short lines below it."""
    ending = text.rstrip()
    cut = max(0, len(ending) - _LONGEST_SIGNATURE)
    for match in _SIGNED.finditer(ending, cut):
        lines = [line for line in match["below"].splitlines() if line.strip()]
        if len(lines) <= _MOST_LINES and all(len(line) <= _LONGEST_LINE and _is_of_a_signature(line) for line in lines):
            yield match.start(), len(text), "A letter's closing and signature."
            return
    for pattern in (_ON_ONE_LINE, _BARE):
        if (closing := pattern.search(ending, cut)) and text[: closing.start()].strip():
            yield closing.start(), len(text), "A letter's closing."
            return


def _is_of_a_signature(line: str) -> bool:
    """A name, a post, an address or a number; no sentence."""
    said = line.strip()
    return not said[:1].islower() and (said[-1:] not in ".!?" or len(said.split()) <= _FEW_WORDS)


def _paragraph(text: str, place: int) -> tuple[int, int]:
    """The paragraph around a place; where lines are all there is, the line."""
    start = text.rfind("\n\n", 0, place)
    end = text.find("\n\n", place)
    return (0 if start < 0 else start + 2), (len(text) if end < 0 else end)


def _is_short(line: str) -> bool:
    return len(line.split()) <= 8
