"""The comparison of a whole project: clusters and findings that hold, whatever was there before and whoever interrupts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from backend.conversations import Message
from backend.curation.deduplicating import KINDS, compare_project
from backend.store.curation import Likeness
from backend.store.database import Database
from backend.store.records import Finding, Project, Record
from backend.store.revisions import add_revision
from backend.vocabulary import FindingKind, FindingStatus
from tests.factories import a_project, a_record

RETURN = "When can I return the wool rug that I bought in Atlanta last week?"
WORDS = (
    (RETURN, "Within 30 days."),
    ("Do you sell gift cards?", "Yes."),
    (RETURN.lower(), "within 30 days."),
    (f"{RETURN}?", "Within 14 days."),
    ("Do you sell gift cards?", "We do."),
    ("Where is your shop?", "In Atlanta."),
)


class Shop:
    """A project, and what a test does to it."""

    def __init__(self, database: Database, words: Sequence[tuple[str, str]] = WORDS) -> None:
        self.database = database
        with database.writing() as session:
            self.project_id = a_project(session).id or 0
            session.commit()
        self.ids = [self.add(*pair) for pair in words]

    def add(self, prompt: str, answer: str) -> int:
        with self.database.writing() as session:
            record = a_record(session, session.get_one(Project, self.project_id), prompt=prompt, answer=answer)
            record.compared = False
            session.commit()
            return record.id or 0

    def edit(self, record_id: int, prompt: str, answer: str) -> None:
        with self.database.writing() as session:
            record = session.get_one(Record, record_id)
            messages = [Message("user", prompt), Message("assistant", answer)]
            add_revision(session, record, messages, reason="edit", author_id=None)
            session.commit()

    def compare(self, tell: Callable[[float, str], None] = lambda share, words: None) -> dict[str, int]:
        with self.database.writing() as session:
            return compare_project(session=session, project_id=self.project_id, tell=tell)

    def findings(self, status: FindingStatus = FindingStatus.OPEN) -> list[tuple[int, str, dict]]:
        with self.database.reading() as session:
            query = (
                select(Finding)
                .where(Finding.status == status, col(Finding.kind).in_(KINDS))
                .order_by(col(Finding.record_id), col(Finding.id))
            )
            return [(row.record_id, row.kind.value, row.detail) for row in session.exec(query)]

    def records(self) -> list[tuple[str, bool]]:
        with self.database.reading() as session:
            return [(row.cluster, row.compared) for row in session.exec(select(Record).order_by(col(Record.id)))]

    def everything(self) -> tuple:
        with self.database.reading() as session:
            nearest = select(Likeness.record_id, Likeness.nearest_id, Likeness.similarity, Likeness.settled)
            likenesses = session.exec(nearest.order_by(col(Likeness.record_id))).all()
        return self.records(), self.findings(), [tuple(row) for row in likenesses]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@pytest.fixture
def shop_on_sqlite(sqlite: Database) -> Shop:
    return Shop(sqlite)


def dismiss(shop: Shop, record_id: int) -> None:
    with shop.database.writing() as session:
        row = session.exec(select(Finding).where(Finding.record_id == record_id)).one()
        row.status = FindingStatus.DISMISSED
        session.add(row)
        session.commit()


def test_repeats_and_near_duplicates_get_clusters_and_findings_that_name_an_earlier_record(shop: Shop) -> None:
    assert shop.compare() == {"duplicate": 1, "near_duplicate": 2}
    first, cards, again, near, cards_too, _ = shop.ids
    assert shop.findings() == [
        (again, "duplicate", {"of": first}),
        (near, "near_duplicate", {"of": first, "similarity": 0.955}),
        (cards_too, "near_duplicate", {"of": cards, "similarity": 1.0}),
    ]
    records = shop.records()
    labels = [cluster for cluster, _ in records]
    assert labels[0] == labels[2] == labels[3] != ""
    assert labels[1] == labels[4] not in ("", labels[0])
    assert labels[5] == ""
    assert all(compared for _, compared in records)


def test_a_second_look_finds_nothing_new_and_changes_nothing(shop: Shop) -> None:
    shop.compare()
    before = shop.everything()
    assert shop.compare() == {}
    assert shop.everything() == before


def test_new_records_are_compared_with_all_and_join_their_clusters(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.compare()
    label = shop_on_sqlite.records()[0][0]
    new = shop_on_sqlite.add(f"Hi, {RETURN}", "Within 30 days.")
    assert shop_on_sqlite.compare() == {"near_duplicate": 1}
    assert shop_on_sqlite.records()[-1] == (label, True)
    assert shop_on_sqlite.findings()[-1][0] == new


def test_an_edit_closes_what_is_no_longer_true_but_the_cluster_stays(shop: Shop) -> None:
    shop.compare()
    label = shop.records()[0][0]
    shop.edit(shop.ids[3], "Do you deliver to Savannah on Saturdays?", "No.")
    assert shop.compare() == {}
    assert [row[0] for row in shop.findings()] == [shop.ids[2], shop.ids[4]]
    assert shop.findings(FindingStatus.FIXED) == [
        (shop.ids[3], "near_duplicate", {"of": shop.ids[0], "similarity": 0.955, "gone_in": 2})
    ]
    assert shop.records()[3][0] == label
    shop.edit(shop.ids[3], f"{RETURN}?", "Within 14 days.")
    assert shop.compare() == {}
    assert len(shop.findings()) == 3


def test_an_edit_of_the_first_moves_the_findings_of_the_others_to_the_next(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.compare()
    first, _, again, near, *_ = shop_on_sqlite.ids
    shop_on_sqlite.edit(first, "Something else entirely, if you please", "No.")
    assert shop_on_sqlite.compare() == {"near_duplicate": 1}
    assert (near, "near_duplicate", {"of": again, "similarity": 0.955}) in shop_on_sqlite.findings()
    assert again not in [row[0] for row in shop_on_sqlite.findings()]


def test_what_was_dismissed_stays_dismissed(shop_on_sqlite: Shop) -> None:
    shop_on_sqlite.compare()
    dismiss(shop_on_sqlite, shop_on_sqlite.ids[3])
    with shop_on_sqlite.database.writing() as session:
        for row in session.exec(select(Likeness)):
            row.settled = False
            session.add(row)
        session.commit()
    assert shop_on_sqlite.compare() == {}
    assert [row[0] for row in shop_on_sqlite.findings(FindingStatus.DISMISSED)] == [shop_on_sqlite.ids[3]]
    assert shop_on_sqlite.ids[3] not in [row[0] for row in shop_on_sqlite.findings()]


def many() -> list[tuple[str, str]]:
    return [(f"{RETURN} Order {number // 2 * 7919}", "Yes.") for number in range(12)] + list(WORDS)


class Killed(Exception):
    pass


@pytest.mark.parametrize("commits", range(1, 8))
def test_a_run_that_is_killed_before_a_commit_goes_on_to_the_same_end(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    monkeypatch.setattr("backend.curation.deduplicating.BATCH", 5)
    monkeypatch.setattr("backend.curation.sketching.BATCH", 7)
    whole, broken = Shop(sqlite, many()), None
    with sqlite.writing() as session:
        count = 0

        def kill(_: object) -> None:
            nonlocal count
            count += 1
            if count == commits:
                raise Killed

        event.listen(session, "before_commit", kill)
        try:
            compare_project(session=session, project_id=whole.project_id, tell=lambda share, words: None)
        except Killed:
            broken = True
            session.rollback()
    assert broken is True or commits > 6
    whole.compare()
    after = whole.everything()
    with sqlite.writing() as session:  # the same project, compared in one go
        for table in (Finding, Likeness):
            for row in session.exec(select(table)):
                session.delete(row)
        for record in session.exec(select(Record)):
            record.cluster, record.compared = "", False
        session.commit()
    whole.compare()
    assert whole.everything() == after


def test_progress_is_told_between_transactions_and_a_stop_is_heeded(shop_on_sqlite: Shop) -> None:
    shares: list[float] = []

    def tell(share: float, words: str) -> None:
        shares.append(share)
        if share >= 0.7:
            raise Killed

    with pytest.raises(Killed):
        shop_on_sqlite.compare(tell)
    assert shares == sorted(shares)
    assert shop_on_sqlite.compare() in ({}, {"duplicate": 1, "near_duplicate": 2})
    assert len(shop_on_sqlite.findings()) == 3


def test_clusters_that_an_import_moved_meanwhile_are_not_overwritten(shop_on_sqlite: Shop) -> None:
    moved = False

    def tell(share: float, words: str) -> None:
        nonlocal moved
        if share > 0.4 and not moved:
            moved = True
            with shop_on_sqlite.database.writing() as session:
                for record_id in (shop_on_sqlite.ids[0], shop_on_sqlite.ids[5]):
                    session.get_one(Record, record_id).cluster = "together"
                session.commit()

    shop_on_sqlite.compare(tell)
    labels = [cluster for cluster, _ in shop_on_sqlite.records()]
    assert labels[0] == labels[2] == labels[3] == labels[5] == "together"


def test_another_project_is_left_alone(shop_on_sqlite: Shop) -> None:
    with shop_on_sqlite.database.writing() as session:
        other = a_project(session, "other")
        record = a_record(session, other, prompt=RETURN, answer="Within 30 days.")
        session.commit()
        record_id = record.id or 0
    shop_on_sqlite.compare()
    with shop_on_sqlite.database.reading() as session:
        assert session.get_one(Record, record_id).cluster == ""
        assert session.get(Likeness, record_id) is None
    assert FindingKind.DUPLICATE in {FindingKind(kind) for _, kind, _ in shop_on_sqlite.findings()}
