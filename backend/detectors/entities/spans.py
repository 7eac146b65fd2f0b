"""Spans of personal data, named as in the literature, and what happens where they overlap. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Entity(StrEnum):
    """The kinds of personal data that are looked for."""

    PERSON = "PERSON"
    STREET_ADDRESS = "STREET_ADDRESS"
    GPE = "GPE"
    ORGANIZATION = "ORGANIZATION"
    TITLE = "TITLE"
    NRP = "NRP"
    EMAIL_ADDRESS = "EMAIL_ADDRESS"
    PHONE_NUMBER = "PHONE_NUMBER"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN_CODE = "IBAN_CODE"
    US_SSN = "US_SSN"
    NATIONAL_ID = "NATIONAL_ID"
    US_DRIVER_LICENSE = "US_DRIVER_LICENSE"
    IP_ADDRESS = "IP_ADDRESS"
    DOMAIN_NAME = "DOMAIN_NAME"
    DATE_TIME = "DATE_TIME"
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    AGE = "AGE"
    ZIP_CODE = "ZIP_CODE"
    ACCOUNT_NUMBER = "ACCOUNT_NUMBER"
    ORDER_NUMBER = "ORDER_NUMBER"


class Span(NamedTuple):
    """A stretch of text. `start` and `end` count characters."""

    start: int
    end: int
    entity: Entity
    score: float
    """How sure the detector is, from 0 to 1; not a calibrated probability."""


_STRENGTH = {
    entity: place
    for place, entity in enumerate(
        [
            Entity.EMAIL_ADDRESS, Entity.ORDER_NUMBER, Entity.IBAN_CODE, Entity.CREDIT_CARD, Entity.DOMAIN_NAME,
            Entity.IP_ADDRESS,
            Entity.US_SSN, Entity.NATIONAL_ID, Entity.US_DRIVER_LICENSE, Entity.ACCOUNT_NUMBER, Entity.DATE_OF_BIRTH,
            Entity.PHONE_NUMBER, Entity.STREET_ADDRESS, Entity.DATE_TIME, Entity.PERSON, Entity.ORGANIZATION, Entity.GPE,
            Entity.TITLE, Entity.NRP, Entity.AGE, Entity.ZIP_CODE,
        ]
    )
}  # fmt: skip


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """By position; of spans that overlap the one of the stronger kind stays, of equal kinds the longer one."""
    kept: list[Span] = []  # by position, and apart from each other
    for span in sorted(spans, key=lambda span: (_STRENGTH[span.entity], span.start - span.end, span.start)):
        place = bisect.bisect_left(kept, span.start, key=lambda other: other.start)
        if (place == 0 or kept[place - 1].end <= span.start) and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept
