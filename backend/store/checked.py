"""Which checks have seen a record's newest text, as `Record.checked` says it: "2 text:1 personal:2" is revision 2, seen by
version 1 of the text checks and version 2 of the search for personal data. Pure.

A text that changed has been seen by none, because the revision is part of what is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.vocabulary import Check


def seen(checked: str, head: int) -> dict[Check, str]:
    """Family → version, of what saw revision `head`."""
    number, *marks = checked.split() or [""]
    if number != str(head):
        return {}
    return {Check(family): version for family, _, version in (mark.partition(":") for mark in marks)}


def mark(checked: str, head: int, versions: Mapping[Check, str]) -> str:
    """What to write once these families have seen revision `head` as well."""
    known = {**seen(checked, head), **versions}
    return " ".join([str(head), *(f"{family.value}:{known[family]}" for family in Check if family in known)])


def due(checked: str, head: int, versions: Mapping[Check, str]) -> set[Check]:
    """The families among `versions` that have not seen revision `head` in that version."""
    known = seen(checked, head)
    return {family for family, version in versions.items() if known.get(family) != version}
