"""Slices set in the database are those that the ORM wrote, whatever the signs in their names."""

from __future__ import annotations

import pytest
from sqlmodel import col, select, update

from backend.store.database import Database
from backend.store.records import Record
from backend.store.slicing import rename_slice, set_slice, slice_of
from tests.factories import a_project, a_record


@pytest.mark.parametrize("name", ["detected · topic", "Größe.länge", "話題[0]"])
def test_a_slice_is_read_set_and_renamed_whoever_wrote_it(database: Database, name: str) -> None:
    with database.writing() as session:
        project = a_project(session)
        written = a_record(session, project, prompt="A", answer="B", slices={name: "old", "channel": "web"})
        bare = a_record(session, project, prompt="C", answer="D")
        ids = [written.id or 0, bare.id or 0]
        session.commit()
        value = slice_of(session, name)
        assert session.exec(select(Record.id).where(value == "old")).all() == [written.id]
        set_slice(session, name, "neu · 新", ids)
        session.commit()
        session.expire_all()
        assert written.slices == {name: "neu · 新", "channel": "web"}
        assert bare.slices == {name: "neu · 新"}
        session.execute(update(Record), [{"id": bare.id, "slices": dict(bare.slices)}])  # the ORM writes it anew
        assert rename_slice(session, project.id or 0, name, "neu · 新", "last") == 2
        session.commit()
        session.expire_all()
        assert bare.slices == {name: "last"}
        assert session.exec(select(Record.id).where(value == "last").order_by(col(Record.id))).all() == ids
