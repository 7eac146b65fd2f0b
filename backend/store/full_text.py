"""Search over all turns of the records' newest revisions, in the index that migration 0002 made and triggers keep.

Promised: whatever is typed is data, never a query language of the database, and never an error; case and accents do not
matter. Words are AND-ed, the last one may be unfinished, and quotes keep words together in their order. Scripts that
write no spaces between words are searched as they are typed. Not promised: stems ("refund" does not find "refunded"
unless it is the last word), or an order by relevance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, and_, cast, column, func, literal, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlmodel import Session

INDEX = "recordtext"
"""The index's table; those that SQLite keeps for it begin like this too."""
MOST_TERMS = 30
LONGEST = 1000
SHORTEST_OPEN = 2
"""A single letter stands for itself: too many words begin with it."""

_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_SIMPLE: Any = literal_column("'simple'::regconfig")


@dataclass(frozen=True, slots=True)
class Term:
    """What must occur: a word, or several in this order. `is_open`: its last word may go on."""

    text: str
    is_open: bool = False

    @property
    def is_unspaced(self) -> bool:
        """Whether no index of words can find it, because its script has no spaces between them."""
        return _UNSPACED.search(self.text) is not None


def terms(text: str) -> tuple[Term, ...]:
    """The terms of what was typed, without those that hold no letter and no digit."""
    found = [
        (quoted or word, len(word) >= SHORTEST_OPEN)
        for quoted, word in _TERM.findall(text.replace("\x00", "")[:LONGEST])
        if any(character.isalnum() for character in quoted or word)
    ][:MOST_TERMS]
    return tuple(Term(words, may_go_on and place == len(found) - 1) for place, (words, may_go_on) in enumerate(found))


def is_of_the_models(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic's `include_name`: the index's tables are no models."""
    return not (kind == "table" and (name or "").startswith(INDEX))


def having_words(session: Session, text: str) -> Select[Any] | None:
    """The ids of records in which every term occurs; None where nothing was typed that could be a word."""
    wanted = terms(text)
    if not wanted:
        return None
    spaced = [term for term in wanted if not term.is_unspaced]
    conditions: list[Any] = [_body().icontains(term.text, autoescape=True) for term in wanted if term.is_unspaced]
    is_sqlite = _is_sqlite(session)
    if spaced and is_sqlite:
        conditions.append(column(INDEX).op("MATCH")(" AND ".join(_quoted(term) for term in spaced)))
    conditions += [] if is_sqlite else [column("words").op("@@")(_query(term)) for term in spaced]
    return _ids(session).where(and_(*conditions))


def holding(session: Session, text: str) -> Select[Any]:
    """The ids of records that hold what was typed exactly so, also inside of a word; it reads every text."""
    return _ids(session).where(_body().icontains(text.replace("\x00", ""), autoescape=True))


def _ids(session: Session) -> Select[Any]:
    return select(column("rowid" if _is_sqlite(session) else "record_id")).select_from(table(INDEX))


def _body() -> Any:
    return column("body", String)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _quoted(term: Term) -> str:
    """As FTS5 reads a phrase; its own tokenizer splits it."""
    return '"' + term.text.replace('"', " ") + '"' + ("*" if term.is_open else "")


def _query(term: Term) -> Any:
    phrase = func.phraseto_tsquery(_SIMPLE, func.recordtext_plain(literal(term.text)))
    if not term.is_open:
        return phrase
    return cast(func.nullif(cast(phrase, String), literal("")).op("||")(literal(":*")), TSQUERY)
