from __future__ import annotations

import pytest

from backend.conversations import Shape
from backend.errors import Forbidden, InvalidInput, NotFound
from backend.intake.keeping_mappings import MOST_KEPT, forget_mapping, keep_mapping, kept_mappings
from backend.intake.mapping import Mapping
from backend.store.database import Database
from backend.vocabulary import Role
from tests.factories import a_person, a_project

PAIRS = Mapping(shape=Shape.PAIRS, prompt="q", response="a", metadata=("channel",))


def test_a_mapping_is_kept_given_back_and_forgotten(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        lead = a_person(session, "lead@example.com", project=project, role=Role.LEAD)
        rater = a_person(session, "rater@example.com", project=project, role=Role.RATER)
        here = {"session": session, "actor": lead, "project_id": project.id or 0}
        keep_mapping(**here, name=" Chats ", mapping=PAIRS)
        assert kept_mappings(session, actor=lead, project_id=project.id or 0) == {"Chats": PAIRS}
        with pytest.raises(Forbidden):
            keep_mapping(session=session, actor=rater, project_id=project.id or 0, name="x", mapping=PAIRS)
        forget_mapping(**here, name="Chats")
        assert kept_mappings(session, actor=lead, project_id=project.id or 0) == {}
        with pytest.raises(NotFound):
            forget_mapping(**here, name="Chats")


def test_a_mapping_without_a_name_or_one_too_many_is_refused(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        lead = a_person(session, "lead@example.com", project=project, role=Role.LEAD)
        here = {"session": session, "actor": lead, "project_id": project.id or 0, "mapping": PAIRS}
        with pytest.raises(InvalidInput):
            keep_mapping(**here, name=" ")
        project.settings = {"mappings": {str(number): PAIRS.to_json() for number in range(MOST_KEPT)}}
        session.add(project)
        session.flush()
        with pytest.raises(InvalidInput, match="Forget one"):
            keep_mapping(**here, name="one more")
