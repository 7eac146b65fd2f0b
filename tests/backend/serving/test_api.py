"""The HTTP API over a real engine on loopback: tokens, shapes, errors, streaming."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backend.access.sessions import actor_of
from backend.access.tokening import create_token
from backend.intake.importing import import_records
from backend.runtime import Runtime
from backend.serving.api import Api
from backend.serving.chatting import keep_exchange, speaker
from backend.serving.openapi import document
from backend.store.accounts import Account
from backend.store.conversations import ChatTurn
from backend.store.models import ModelVersion
from backend.store.records import Project, Record
from backend.vocabulary import Role
from tests.backend.serving.fake_engine import fake_engine
from tests.backend.serving.test_chatting import a_speaking_project
from tests.factories import a_person


@dataclass
class Client:
    """A client, tokens by role, and what the import use-case was given."""

    http: TestClient
    tokens: dict[str, str]
    imported: list[dict[str, Any]]
    asked: list[dict[str, Any]]

    def post(self, path: str, body: Any, role: str | None = "rater") -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return self.http.post(path, json=body, headers=headers)


@pytest.fixture
def client(house: Runtime) -> Iterator[Client]:
    tokens = {}
    with house.database.writing() as session:
        project = a_speaking_project(session)
        people = {
            role: a_person(session, f"{role}@example.org", project=project, role=Role(role)) for role in ("rater", "lead")
        }
        people["stranger"] = a_person(session, "stranger@example.org")
        session.commit()
    for name, person in people.items():
        with house.database.writing() as session:
            tokens[name] = create_token(session=session, actor=person, name="test")
    imported: list[dict[str, Any]] = []

    def import_records(**given: Any) -> dict[str, Any]:
        imported.append(given)
        return {"imported": len(given["rows"])}

    with fake_engine() as (url, asked):
        api = Api(replace(house.settings, engine_url=url), house.database, import_records)
        with TestClient(Starlette(routes=api.routes())) as http:
            yield Client(http, tokens, imported, asked)


def hello(text: str = "hi", **extra: Any) -> dict[str, Any]:
    return {"model": "shop", "messages": [{"role": "user", "content": text}], **extra}


def told(*texts: str, roles: tuple[str, str] = ("user", "assistant")) -> dict[str, Any]:
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    return {"project": "shop", "thumb": "up", "messages": messages}


def test_a_completion_comes_from_the_current_version_and_is_kept(client: Client, house: Runtime) -> None:
    answer = client.post("/v1/chat/completions", hello(max_tokens=9)).json()
    assert answer["choices"][0]["message"]["content"] == "You asked: hi"
    assert answer["touchstone"]["version"] == "Version 1"
    assert (client.asked[0]["model"], client.asked[0]["max_tokens"]) == ("shop-v1", 9)
    with house.database.reading() as session:
        assert session.get_one(ChatTurn, answer["touchstone"]["turn"]).text == "You asked: hi"


def test_a_streamed_completion_ends_with_its_turn_and_done(client: Client) -> None:
    lines = client.post("/v1/chat/completions", hello(stream=True)).text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == "You asked: hi"
    assert events[-1]["touchstone"]["turn"] > 0
    assert "data: [DONE]" in lines


def test_a_stream_that_breaks_says_so_inside_and_keeps_no_half_answer(client: Client, house: Runtime) -> None:
    assert "broke off" in client.post("/v1/chat/completions", hello("break", stream=True)).text
    with house.database.reading() as session:
        assert session.exec(select(ChatTurn)).all() == []


def test_feedback_on_an_answer_and_on_a_conversation_held_elsewhere_make_records(client: Client, house: Runtime) -> None:
    turn = client.post("/v1/chat/completions", hello()).json()["touchstone"]["turn"]
    assert client.post("/api/feedback", {"turn": turn, "thumb": "down", "comment": "wrong"}).status_code == 201
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert client.post("/api/feedback", {"project": "shop", "messages": messages, "csat": 2}).status_code == 201
    with house.database.reading() as session:
        assert {record.prompt for record in session.exec(select(Record))} == {"hi", "q"}


def test_records_go_to_the_import_use_case_for_leads_only(client: Client) -> None:
    body = {"project": "shop", "records": [{"prompt": "q", "response": "a"}]}
    assert client.post("/api/records", body, "rater").status_code == 403
    assert client.post("/api/records", body, "lead").json() == {"imported": 1}
    assert client.imported[0]["rows"] == body["records"]


def test_imported_records_are_stored_and_the_same_ones_are_not_doubled(client: Client, house: Runtime) -> None:
    api = Api(house.settings, house.database, import_records)
    body = {"project": "shop", "name": "Zendesk", "records": [{"prompt": "q", "response": "a"}, {"prompt": "only a question"}]}
    with TestClient(Starlette(routes=api.routes())) as http:
        headers = {"Authorization": f"Bearer {client.tokens['lead']}"}
        first, second = (http.post("/api/records", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()["imported"], first.json()["rejected"]) == (201, 1, 1)
    assert second.status_code == 409
    with house.database.reading() as session:
        assert [record.prompt for record in session.exec(select(Record))] == ["q"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/feedback", "/api/records"])
def test_without_a_token_or_with_a_wrong_one_there_is_only_401(client: Client, path: str) -> None:
    assert client.post(path, hello(), None).status_code == 401
    answer = client.http.post(path, json=hello(), headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    client.http.cookies.set("touchstone_session", client.tokens["lead"])
    assert client.http.post(path, json=hello()).status_code == 401


def test_a_stranger_cannot_tell_a_foreign_project_from_a_missing_one(client: Client) -> None:
    foreign = client.post("/v1/chat/completions", hello(), "stranger")
    missing = client.post("/v1/chat/completions", {**hello(), "model": "nothing"}, "stranger")
    assert (foreign.status_code, foreign.json()) == (missing.status_code, missing.json())
    assert client.http.get("/v1/models", headers={"Authorization": f"Bearer {client.tokens['stranger']}"}).json()["data"] == []


BAD: list[Any] = [
    [],
    {},
    {"model": "shop"},
    {"model": 5, "messages": [{"role": "user", "content": "x"}]},
    {"model": "shop", "messages": "hi"},
    {"model": "shop", "messages": [{"role": "user", "content": 5}]},
    {"model": "shop", "messages": [{"role": "root", "content": "x"}]},
    {"model": "shop", "messages": [{"role": "assistant", "content": "x"}]},
    {"model": "shop", "messages": [{"role": "user", "content": "  "}]},
    hello(temperature="hot"),
    hello(max_tokens=10**9),
    hello(seed=True),
]


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_bad_requests_are_refused_with_words_and_without_a_trace(client: Client, body: Any) -> None:
    answer = client.post("/v1/chat/completions", body)
    assert answer.status_code in (404, 422)
    message = answer.json()["error"]["message"]
    assert len(message) > 10
    assert "Traceback" not in answer.text
    assert client.asked == []


def test_a_body_that_is_no_json_or_far_too_large_is_refused(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.tokens['rater']}"}
    for content in (b"\xff\xfe", b"[" * 100_000, b" " * 20_000_001):
        assert client.http.post("/api/feedback", content=content, headers=headers).status_code == 422


def test_a_stranger_is_turned_away_before_anything_of_a_body_is_read(client: Client) -> None:
    answer = client.http.post("/api/feedback", content=b" " * 20_000_001, headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"turn": 10**30, "thumb": "up"},
        {"turn": -1, "thumb": "up"},
        {"turn": 1, "resolved": 0},
        {"project": "\ud800", "messages": [], "thumb": "up"},
        told("a\x00", "b"),
        told("a", "\ud800"),
        told("a", " "),
        told("a", "b", roles=("assistant", "assistant")),
        told("a" * 100_001, "b"),
    ],
)
def test_feedback_that_no_record_could_be_made_of_is_refused_with_words(client: Client, house: Runtime, body: Any) -> None:
    headers = {"Authorization": f"Bearer {client.tokens['rater']}"}
    answer = client.http.post("/api/feedback", content=json.dumps(body), headers=headers)
    assert answer.status_code in (404, 422), answer.text
    with house.database.reading() as session:
        assert session.exec(select(Record)).all() == []


def test_what_a_client_asked_of_the_decoding_is_kept_with_the_answer(client: Client, house: Runtime) -> None:
    turn = client.post("/v1/chat/completions", hello(temperature=0.5, seed=7)).json()["touchstone"]["turn"]
    with house.database.reading() as session:
        kept = session.get_one(ChatTurn, turn).decoding
    assert (kept["temperature"], kept["seed"], kept["max_new_tokens"]) == (0.5, 7, 160)


def test_an_answer_belongs_to_the_version_that_gave_it_though_another_became_current_meanwhile(
    client: Client, house: Runtime
) -> None:
    with house.database.reading() as session:
        before = speaker(session, 1)
    with house.database.writing() as session:
        project = session.get_one(Project, 1)
        newer = ModelVersion(project_id=1, number=2, name="Version 2", base_model="b", served_as="shop-v2")
        session.add(newer)
        session.flush()
        project.current_version_id = newer.id
        session.add(project)
        session.commit()
    with house.database.writing() as session:
        person = actor_of(session, session.get_one(Account, 1))
        said = [{"role": "user", "content": "hi"}]
        turn = keep_exchange(session=session, actor=person, speaking=before, messages=said, text="hello", seconds=0.1)
        assert session.get_one(ChatTurn, turn).version_id == before.version_id


def test_an_unforeseen_fault_in_a_stream_is_told_inside_it_by_an_id(
    client: Client, house: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_given: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("backend.serving.api.keep_exchange", broken)
    text = client.post("/v1/chat/completions", hello(stream=True)).text
    assert "Tell an admin this id" in text
    assert "secret" not in text


def test_an_engine_that_is_busy_or_lacks_the_model_gives_a_status(client: Client) -> None:
    assert client.post("/v1/chat/completions", hello("busy", stream=True)).status_code == 503


def test_the_document_names_every_route(client: Client) -> None:
    described = client.http.get("/openapi.json").json()
    assert described == document(described["servers"][0]["url"])
    api = Api.__new__(Api)
    assert {route.path for route in Api.routes(api)} - {"/openapi.json"} == set(described["paths"])
