"""Mail: single messages (EML) and mailboxes (MBOX), as conversations. Standard library, and selectolax for HTML bodies.

Messages belong together by References and In-Reply-To. In each, what was quoted and the signature are left out. Who wrote
first in a thread is the customer; who answers is the company. Attachments are not read. Not promised: signatures that
nothing marks.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import mailbox
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from backend.conversations import ASSISTANT, USER
from backend.detectors.boilerplate import is_closing, is_signature_mark
from backend.intake.readers.rows import EXCERPT, Limits, Reading, Rejected, Row, Source, limited

EXTENSIONS = frozenset({"eml", "mbox", "mbx"})
_ID = re.compile(r"<[^<>\s]+>")
_QUOTE_BEGINS = re.compile(
    r"^\s*(?:on\b.{4,200}\bwrote:|am\b.{4,200}\bschrieb\b.*:|le\b.{4,200}\ba écrit\s*:|el\b.{4,200}\bescribió:|"
    r"-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine)\s*-{2,}.*|_{10,})\s*$",
    re.IGNORECASE,
)
_HEADER_BLOCK = re.compile(r"^\s*\*?(?:from|von|de)\*?:\s.+$", re.IGNORECASE)
_SENT = re.compile(r"^\s*\*?(?:sent|date|gesendet|datum|envoyé|enviado|to|an|subject|betreff)\*?:\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letter:
    """One message: its text is without quotes and signature."""

    number: int
    id: str
    before: tuple[str, ...]
    """Ids of the messages that it follows."""
    sender: str
    subject: str
    sent: datetime | None
    text: str


def read(source: Source, limits: Limits) -> Reading:
    """Raises UnreadableFile for a file that holds no message."""
    letters, bad = _letters(source, limits)
    if not letters:
        raise source.refuse("holds no message with text in it.")
    rows: list[Row | Rejected] = [_row(thread) for thread in threads(letters)]
    detail = f"{len(letters):,} messages in {len(rows):,} threads"
    columns = ("messages", "thread", "subject", "date")
    return Reading("mail", detail, columns, lambda: limited([*rows, *bad], source, limits))


def looks_like(head: str) -> bool:
    """Whether a text begins as a message or a mailbox does."""
    return bool(re.match(r"From \S+ .*\d{4}|(?:[A-Za-z-]+: .*\n([ \t].*\n)*)*(?:From|Received|Message-ID): ", head))


def _letters(source: Source, limits: Limits) -> tuple[list[Letter], list[Rejected]]:
    found: list[Letter] = []
    bad: list[Rejected] = []
    for number, raw in enumerate(_raw(source), start=1):
        if number > limits.max_rows:
            raise source.refuse(f"holds more than {limits.max_rows:,} messages. Split it into smaller files.")
        letter = _letter(number, raw)
        if letter.text and len(letter.text) <= limits.max_row_chars:
            found.append(letter)
        else:
            reason = "is too long" if letter.text else "has no text of its own"
            bad.append(Rejected(number, reason, letter.subject[:EXCERPT]))
    return found, bad


def _raw(source: Source) -> Iterator[EmailMessage]:
    """Every message of the file; a mailbox has to lie on disk to be read."""
    with source.open() as stream:
        is_box = stream.read(5) == b"From "
    if not is_box:
        with source.open() as stream:
            yield email.message_from_binary_file(stream, policy=email.policy.default)
    elif isinstance(source.content, Path):
        yield from _box(source.content)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "box"
            path.write_bytes(source.content)
            yield from _box(path)


def _box(path: Path) -> Iterator[EmailMessage]:
    def parse(stream: Any) -> Any:
        return email.message_from_binary_file(stream, policy=email.policy.default)

    box = mailbox.mbox(path, factory=parse, create=False)
    try:
        yield from box  # type: ignore[misc]
    finally:
        box.close()


def mailbox_of(letters: Iterable[bytes]) -> bytes:
    """An MBOX of single messages. Lines that would begin another one are moved in by a space."""
    return b"".join(
        b"From - Thu Jan  1 00:00:00 1970\n" + re.sub(rb"(?m)^From ", b" From ", letter.replace(b"\r\n", b"\n")) + b"\n\n"
        for letter in letters
    )


def _letter(number: int, message: EmailMessage) -> Letter:
    def header(name: str) -> str:
        try:
            return str(message.get(name, ""))
        except (ValueError, IndexError, AttributeError):  # headers that the standard library cannot parse
            return ""

    own = _ID.findall(header("Message-ID"))
    before = tuple(dict.fromkeys(_ID.findall(header("References") + " " + header("In-Reply-To"))))
    sender = email.utils.parseaddr(header("From"))[1].lower()
    return Letter(
        number, own[0] if own else f"<{number}>", before, sender, header("Subject").strip(), _date(header("Date")),
        own_words(_body(message)),
    )  # fmt: skip


def _date(text: str) -> datetime | None:
    try:
        sent = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)


def _body(message: EmailMessage) -> str:
    """The plain text, or what the HTML says."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except (LookupError, ValueError, KeyError):
        payload = part.get_payload(decode=True)
        text = payload.decode("utf-8", errors="replace") if isinstance(payload, bytes) else ""
    if part.get_content_type() != "text/html":
        return text
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(re.sub(r"(?i)<br\s*/?>|</(?:p|div|li|tr|h\d)>", "\n", text))
    tree.strip_tags(["script", "style", "blockquote", "head"])
    return tree.text()


def own_words(text: str) -> str:
    """The text without quoted messages and without the signature."""
    lines = text.replace("\r\n", "\n").replace("\xa0", " ").split("\n")
    kept: list[str] = []
    for place, line in enumerate(lines):
        both = f"{line} {lines[place + 1]}" if place + 1 < len(lines) else line  # "On … \n… wrote:" is often wrapped
        follows = any(_SENT.match(later) for later in lines[place + 1 : place + 4])
        if _QUOTE_BEGINS.match(line) or _QUOTE_BEGINS.match(both) or (_HEADER_BLOCK.match(line) and follows):
            if any(one.strip() for one in kept):
                break
            continue
        if is_signature_mark(line.strip()):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.rstrip())
    return _without_closing("\n".join(kept).strip())


def _without_closing(text: str) -> str:
    """Without "Kind regards," and the few short lines of a name below it."""
    lines = text.split("\n")
    for place in range(max(1, len(lines) - 8), len(lines)):
        below = [line for line in lines[place + 1 :] if line.strip()]
        if is_closing(lines[place]) and len(below) <= 5 and all(len(line) <= 60 for line in below):
            return "\n".join(lines[:place]).strip()
    return text


def threads(letters: Iterable[Letter]) -> list[list[Letter]]:
    """Messages that belong together, the oldest first; threads by their first message's place."""
    given = list(letters)
    parent: dict[str, str] = {}

    def root(one: str) -> str:
        while parent.setdefault(one, one) != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for letter in given:
        for other in letter.before:
            parent[root(letter.id)] = root(other)
    groups: dict[str, list[Letter]] = defaultdict(list)
    for letter in given:
        groups[root(letter.id)].append(letter)
    oldest = datetime.min.replace(tzinfo=UTC)
    ordered = [sorted(group, key=lambda one: (one.sent or oldest, one.number)) for group in groups.values()]
    return sorted(ordered, key=lambda group: min(one.number for one in group))


def _row(thread: list[Letter]) -> Row | Rejected:
    first = thread[0]
    turns: list[dict[str, str]] = []
    for letter in thread:
        role = USER if letter.sender == first.sender else ASSISTANT
        text = letter.text if turns or not first.subject else _with_subject(letter)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n\n{text}"
        else:
            turns.append({"role": role, "content": text})
    if len(turns) > 1 and turns[-1]["role"] == USER:  # thanks after the last answer
        turns.pop()
    if len(turns) == 1:
        return Rejected(first.number, "nobody answered this message", first.subject[:EXCERPT])
    date = first.sent.date().isoformat() if first.sent else ""
    values = {"messages": turns, "thread": first.id.strip("<>"), "subject": first.subject[:300], "date": date}
    return Row(first.number, values)


def _with_subject(letter: Letter) -> str:
    subject = re.sub(r"^(?:(?:re|fw|fwd|aw|wg)\s*:\s*)+", "", letter.subject, flags=re.IGNORECASE).strip()
    return letter.text if subject.lower() in letter.text.lower() else f"{subject}\n\n{letter.text}"
