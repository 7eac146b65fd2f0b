"""What a document's blocks carry: a transcript of talks, questions with their answers, or sections to make FAQs of. Pure.

Proposed questions are only proposals: a section's heading put as a question, for an expert to word. Its answer is the
section's own text, with the whole passage beside it. Not promised: layouts with tables, columns or footnotes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backend.conversations import ASSISTANT, USER


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a heading (`level` 1 and deeper; 0 is text) and the part of the file it stands in: a page or a line."""

    text: str
    level: int = 0
    part: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """One row to be, where it begins, and its values."""

    part: int
    values: dict[str, Any]


TALK = ("messages", "conversation_id")
FAQ = ("question", "answer", "section")
SECTIONS = ("question", "answer", "section", "passage")

ANSWER_CHARS = 700
_LEAST_PASSAGE = 40
_SPEAKER = re.compile(
    r"^\s*(?:[\[(]?(?:\d{4}-\d\d-\d\d[T ]?|\d{1,2}[./]\d{1,2}[./]\d{2,4},?\s+)?"
    r"(?:\d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp][Mm])?)?[\])]?)?"
    r"[\s-]*([^\W\d_][\w .'()@-]{0,39}?)\s*:\s+(\S.*)$"
)
_AGENTS = re.compile(
    r"\b(agent|support|assistant|bot|chatbot|advisor|adviser|operator|service|representative|rep|staff|team|help ?desk|"
    r"consultant|mitarbeiter\w*|berater\w*|kundenservice|conseiller\w*|agente)\b",
    re.IGNORECASE,
)
_CUSTOMERS = re.compile(r"\b(customer|user|client|visitor|guest|caller|kund\w*|cliente|member)\b", re.IGNORECASE)
_QUESTION = re.compile(r"^\s*(?:Q|Question|Frage|Pregunta)\s*\d*\s*[:.)]\s*(.+)$", re.IGNORECASE | re.DOTALL)
_ANSWER = re.compile(r"^\s*(?:A|Answer|Antwort|Réponse|Respuesta)\s*\d*\s*[:.)]\s*(.+)$", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"^\s*(?:[-=*_#]{3,}|(?:conversation|chat|call|ticket|transcript)\b.{0,40})\s*$", re.IGNORECASE)
_LABELS = frozenset({"q", "question", "a", "answer", "note", "subject", "date", "from", "to", "http", "https"})


def rows_of(blocks: Sequence[Block]) -> tuple[tuple[str, ...], list[Found]]:
    """(columns, rows) by what fits: a transcript, else questions and answers, else sections. No rows: nothing usable."""
    if talks := list(_talks(blocks)):
        return TALK, talks
    pairs, sections = list(_pairs(blocks)), list(_sections(blocks))
    return (FAQ, pairs) if 2 * len(pairs) > len(sections) else (SECTIONS, sections)


def _talks(blocks: Sequence[Block]) -> Iterator[Found]:
    """Talks between named speakers, where most lines begin with a name and names come again."""
    lines = [(block, line) for block in blocks for line in block.text.splitlines() if line.strip()]
    spoken = [match[1].strip() if (match := _SPEAKER.match(line)) else "" for _, line in lines]
    names = Counter(name for name in spoken if name and name.lower() not in _LABELS)
    begins = {name for name, before in zip(spoken, ["---", *(line for _, line in lines)], strict=False) if _BREAK.match(before)}
    repeated = {
        name for name, count in names.items() if count > 1 or name in begins or _AGENTS.search(name) or _CUSTOMERS.search(name)
    }
    if len(repeated) < 2 or sum(names[name] for name in repeated) < 0.4 * len(lines):
        return
    talk: list[tuple[str, str]] = []
    part, number = 1, 0
    for block, line in [*lines, (Block("", part=0), "---")]:
        match = _SPEAKER.match(line)
        if match and match[1].strip() in repeated:
            if not talk:
                part = block.part
            talk.append((match[1].strip(), match[2].strip()))
        elif (_BREAK.match(line) or block.level) and talk:
            number += 1
            yield Found(part, {"messages": _turns(talk), "conversation_id": str(number)})
            talk = []
        elif talk:
            talk[-1] = (talk[-1][0], f"{talk[-1][1]}\n{line.strip()}")


def _turns(talk: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Turns of a talk: who is called an agent answers, else everybody but the first to speak; neighbours are joined."""
    names = list(dict.fromkeys(name for name, _ in talk))
    agents = {name for name in names if _AGENTS.search(name) and not _CUSTOMERS.search(name)}
    if not agents or agents == set(names):
        agents = set(names[1:])
    turns: list[dict[str, str]] = []
    for name, text in talk:
        role = ASSISTANT if name in agents else USER
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n{text}"
        else:
            turns.append({"role": role, "content": text})
    while turns and turns[0]["role"] == ASSISTANT:  # a greeting before anybody asked
        turns.pop(0)
    while turns and turns[-1]["role"] == USER:  # thanks after the last answer, or a question nobody answered
        if len(turns) == 1:
            break
        turns.pop()
    return turns


def _pairs(blocks: Sequence[Block]) -> Iterator[Found]:
    """Questions marked with Q: or standing as a heading or a short paragraph, with the text up to the next one."""
    question, section, answer, part = "", "", list[str](), 1
    marked = sum(bool(_QUESTION.match(line)) for line in _lines(blocks)) > 0
    for block, line in _with_lines(blocks, split=marked):
        asked = _asked(block, line, marked)
        if asked or block.level:
            if question and answer:
                yield Found(part, {"question": question, "answer": "\n".join(answer), "section": section})
            question, answer, part = asked, [], block.part
            section = section if asked else block.text.strip()
        elif question:
            said = _ANSWER.match(line)
            answer.append((said[1] if said else line).strip())
    if question and answer:
        yield Found(part, {"question": question, "answer": "\n".join(answer), "section": section})


def _asked(block: Block, line: str, marked: bool) -> str:
    """The question in this line, or nothing."""
    if match := _QUESTION.match(line):
        return match[1].strip()
    text = re.sub(r"^\s*\d+[.)]\s+", "", line.strip())
    if marked and not block.level:
        return ""
    return text if text.endswith(("?", "\uff1f")) and len(text) <= 200 and "\n" not in text else ""


def _sections(blocks: Sequence[Block]) -> Iterator[Found]:
    """Each heading with the text under it, as an FAQ to be."""
    path: list[tuple[int, str]] = []
    texts: list[str] = []
    part = 1

    def found() -> Iterator[Found]:
        passage = "\n".join(texts).strip()
        if path and len(passage) >= _LEAST_PASSAGE:
            heading = path[-1][1]
            yield Found(
                part,
                {
                    "question": _proposed(heading),
                    "answer": _shortened(passage),
                    "section": " > ".join(text for _, text in path[:-1])[:120],
                    "passage": passage,
                },
            )

    for block in blocks:
        if block.level:
            yield from found()
            path = [*((level, text) for level, text in path if level < block.level), (block.level, block.text.strip())]
            texts, part = [], block.part
        else:
            texts.append(block.text.strip())
    yield from found()


def _proposed(heading: str) -> str:
    heading = re.sub(r"^\s*[\d.]+\s+", "", heading).strip().rstrip(":.")
    return heading if heading.endswith("?") else f"What should I know about {heading[:1].lower()}{heading[1:]}?"


def _shortened(passage: str) -> str:
    """The passage up to the last whole sentence within ANSWER_CHARS."""
    if len(passage) <= ANSWER_CHARS:
        return passage
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)|\n", passage[:ANSWER_CHARS])]
    return passage[: ends[-1] if ends else ANSWER_CHARS].strip()


def _lines(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        yield from block.text.splitlines()


def _with_lines(blocks: Iterable[Block], *, split: bool) -> Iterator[tuple[Block, str]]:
    for block in blocks:
        for line in block.text.splitlines() if split else [block.text]:
            if line.strip():
                yield block, line
