from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.access.actors import Actor
from backend.access.policy import ALLOWED, check, may
from backend.errors import Forbidden
from backend.vocabulary import Action, Role

actions = st.sampled_from(Action)
projects = st.integers(1, 50)
memberships = st.dictionaries(projects, st.sampled_from(Role), max_size=8)


def member(role: Role, project: int) -> Actor:
    return Actor(1, "a@example.com", roles={project: role})


@given(actions, projects)
def test_each_role_may_do_what_the_role_below_it_may(action: Action, project: int) -> None:
    answers = [may(member(role, project), action, project) for role in (Role.RATER, Role.EXPERT, Role.LEAD)]
    answers.append(may(Actor(1, "admin", is_admin=True), action, project))
    assert answers == sorted(answers)


@given(actions, memberships, projects)
def test_nobody_acts_in_a_foreign_project(action: Action, roles: dict[int, Role], project: int) -> None:
    roles.pop(project, None)
    assert not may(Actor(1, "a@example.com", roles=roles), action, project)


@given(actions, memberships)
def test_nobody_but_an_admin_acts_outside_projects(action: Action, roles: dict[int, Role]) -> None:
    assert not may(Actor(1, "a@example.com", roles=roles), action, None)


@given(st.sampled_from(Role), projects)
def test_accounts_and_projects_are_for_admins_alone(role: Role, project: int) -> None:
    for action in (Action.MANAGE_ACCOUNTS, Action.CREATE_PROJECT):
        assert not may(member(role, project), action, project)


@given(actions, memberships, projects)
def test_check_raises_exactly_where_may_says_no(action: Action, roles: dict[int, Role], project: int) -> None:
    actor = Actor(1, "a@example.com", roles=roles)
    if may(actor, action, project):
        check(actor, action, project)
    else:
        with pytest.raises(Forbidden):
            check(actor, action, project)


def test_the_roles_are_properly_nested() -> None:
    assert ALLOWED[Role.RATER] < ALLOWED[Role.EXPERT] < ALLOWED[Role.LEAD] < set(Action)
