import dataclasses
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.conversations import Conversation, Message, Shape, to_csv, to_jsonl
from backend.datasets.formats import Form, preference_line
from backend.errors import InvalidInput
from backend.intake.conversations import Imported, Label, convert_all, thumb_of
from backend.intake.mapping import Mapping
from backend.intake.readers.registry import read
from backend.intake.readers.rows import Rejected
from backend.intake.shapes import Kind, recognise
from backend.vocabulary import Thumb
from tests.backend.test_conversations import conversations


def load(content, name, **changes):
    """Recognises, maps and converts a file, as an import does: the kind, the conversations, the rejected rows."""
    reading = read(content, name)
    recognition = recognise(reading.columns, reading.head(50))
    mapping = dataclasses.replace(recognition.mapping, **changes)
    mapping.check(reading.columns)
    results = list(convert_all(reading, Mapping.from_json(json.loads(json.dumps(mapping.to_json())))))
    taken = [result.conversation for result in results if isinstance(result, Imported)]
    return recognition.kind, taken, [result for result in results if isinstance(result, Rejected)]


def load_rows(*rows, **changes):
    return load(json.dumps(rows).encode(), "rows.json", **changes)


def said(conversation):
    return [(message.role, message.content) for message in conversation.messages]


@given(st.lists(conversations(), min_size=1, max_size=3), st.sampled_from([Shape.OPENAI, Shape.SHAREGPT, Shape.ALPACA]))
def test_what_is_exported_as_jsonl_is_imported_again_without_loss(exported, shape):
    content = "".join(to_jsonl(exported, shape)).encode()
    _, imported, rejected = load(content, "export.jsonl", allow_prompts=True)
    assert (imported, rejected) == (exported, [])


@given(st.lists(conversations(), min_size=1, max_size=3))
def test_what_is_exported_as_csv_is_imported_again_without_loss(exported):
    content = "".join(to_csv(exported)).encode()
    kind, imported, rejected = load(content, "export.csv", allow_prompts=True)
    assert (kind, imported, rejected) == (Kind.OWN_CSV, exported, [])


def test_other_peoples_apostrophes_are_kept():
    _, (conversation,), _ = load(b"prompt,response\n'-quoted,'=x\n", "a.csv")
    assert said(conversation) == [("user", "'-quoted"), ("assistant", "'=x")]


@pytest.mark.parametrize(
    ("row", "kind", "turns"),
    [
        ({"prompt": "a", "completion": "b"}, Kind.PAIRS, ["a", "b"]),
        ({"Customer Message": "a", "Agent message": "b"}, Kind.PAIRS, ["a", "b"]),
        ({"input": "a", "output": "b"}, Kind.PAIRS, ["a", "b"]),
        ({"Question": "a", "Answer": "b"}, Kind.FAQ, ["a", "b"]),
        ({"instruction": "a", "input": "c", "output": "b"}, Kind.ALPACA, ["a\nc", "b"]),
        ({"instruction": "a", "input": "", "output": "b", "history": [["x", "y"]]}, Kind.ALPACA, ["x", "y", "a", "b"]),
        ({"instruction": "a", "output": "b", "system": "s"}, Kind.ALPACA, ["s", "a", "b"]),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, Kind.SHAREGPT, ["a", "b"]),
        ({"turns": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, Kind.OPENAI, ["a", "b"]),
        ({"messages": '[{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]'}, Kind.OPENAI, ["a", "b"]),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, Kind.PREFERENCE, ["a", "b"]),
        ({"prompt": "a", "completion": "b", "label": True}, Kind.THUMBS, ["a", "b"]),
    ],
)
def test_shapes_are_recognised_by_their_columns(row, kind, turns):
    found, (conversation,), _ = load_rows(row | {"id": 7, "channel": "chat"})
    assert found == kind
    assert [message.content for message in conversation.messages] == turns
    assert (conversation.external_id, conversation.metadata) == ("7", {"channel": "chat"})


def test_columns_without_telling_names_are_left_to_the_user():
    recognition = recognise(["left", "right"], [])
    assert (recognition.kind, recognition.mapping) == (Kind.UNKNOWN, None)
    assert "Choose the columns" in recognition.explanation


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "a", "response": " "}, "no answer"),
        ({"prompt": "", "response": "b"}, "prompt is empty"),
        ({"prompt": "a", "response": 42}, "answer is not text"),
        ({"prompt": "a", "response": None}, "no answer"),
        ({"prompt": "a\x00", "response": "b"}, "NUL"),
        ({"prompt": "a", "response": "\ud800"}, "not valid text"),
        ({"prompt": "a", "response": "b", "note": "\x00"}, "metadata 'note' contains a NUL"),
    ],
)
def test_rows_that_make_no_record_are_rejected_with_line_reason_and_excerpt(row, reason):
    good = {"prompt": "fine", "response": "fine", "note": "x"}
    _, taken, (rejected,) = load_rows(good, row | {"note": row.get("note", "y")})
    assert len(taken) == 1
    assert reason in rejected.reason
    assert (rejected.line, isinstance(rejected.excerpt, str)) == (1, True)


def test_chats_sent_in_pieces_are_joined_when_the_mapping_says_so():
    turns = [{"role": role, "content": role} for role in ("user", "user", "assistant")]
    _, taken, (rejected,) = load_rows({"messages": turns})
    assert (taken, "both from the user" in rejected.reason) == ([], True)
    _, (joined,), _ = load_rows({"messages": turns}, join_turns=True)
    assert said(joined) == [("user", "user\nuser"), ("assistant", "assistant")]


def turn(role, content):
    return {"role": role, "content": content}


ASKED = [turn("system", "s"), turn("user", "a")]


@pytest.mark.parametrize(
    ("row", "kind", "label"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, Kind.PREFERENCE, Label("b", "c")),
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, Kind.PREFERENCE, None),
        ({"prompt": "a", "chosen": "b", "rejected": None}, Kind.PREFERENCE, None),
        (
            {"prompt": ASKED, "chosen": [turn("assistant", "b")], "rejected": [turn("assistant", "c")]},
            Kind.PREFERENCE, Label("b", "c"),
        ),
        (
            {"chosen": [*ASKED, turn("assistant", "b")], "rejected": [*ASKED, turn("assistant", "c")]},
            Kind.PREFERENCE, Label("b", "c"),
        ),
        (
            {"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "b"},
             "rejected": {"from": "gpt", "value": "c"}},
            Kind.PREFERENCE, Label("b", "c"),
        ),
        ({"prompt": "a", "completion": "b", "label": True}, Kind.THUMBS, Label("b", thumb=Thumb.UP)),
        ({"prompt": "a", "completion": "b", "label": False}, Kind.THUMBS, Label("b", thumb=Thumb.DOWN)),
        ({"prompt": ASKED, "completion": [turn("assistant", "b")], "label": 0}, Kind.THUMBS, Label("b", thumb=Thumb.DOWN)),
        ({"messages": [*ASKED, turn("assistant", "b")], "label": "no"}, Kind.THUMBS, Label("b", thumb=Thumb.DOWN)),
        ({"Question": "a", "Answer": "b", "Rating": "5"}, Kind.SURVEY, Label("b", thumb=Thumb.UP)),
        ({"Question": "a", "Answer": "b", "Rating": "3"}, Kind.SURVEY, None),
        ({"Question": "a", "Answer": "b", "CSAT": "2"}, Kind.SURVEY, Label("b", thumb=Thumb.DOWN)),
    ],
)  # fmt: skip
def test_judgements_in_a_file_come_along(row, kind, label):
    reading = read(json.dumps([row]).encode(), "rows.json")
    recognition = recognise(reading.columns, reading.head())
    (imported,) = convert_all(reading, recognition.mapping)
    assert (recognition.kind, imported.label) == (kind, label)
    assert (imported.conversation.prompt, imported.conversation.answer) == ("a", "b")


@pytest.mark.parametrize(
    ("rejected", "reason"),
    [
        ([turn("user", "x"), turn("assistant", "c")], "does not answer the same prompt"),
        (7, "not an object"),
        ("\ud800", "valid text"),
    ],
)
def test_a_preference_between_answers_to_different_prompts_is_none(rejected, reason):
    row = {"prompt": [turn("user", "a")], "chosen": [turn("assistant", "b")], "rejected": rejected}
    (found,) = convert_all(read(json.dumps([row]).encode(), "a.json"), Mapping(
        shape=Shape.OPENAI, conversation="prompt", response="chosen", rejected="rejected"))  # fmt: skip
    assert reason in found.reason


@given(st.floats(1, 10), st.sampled_from([5, 7, 10]))
def test_only_the_ends_of_a_scale_are_verdicts(mark, best):
    share = (mark - 1) / (best - 1)
    expected = Thumb.UP if share >= 0.75 else Thumb.DOWN if share <= 0.25 else None
    assert thumb_of(mark, best) == thumb_of(f"{mark}/{best}", best) == expected


@given(conversations(), st.booleans(), st.sampled_from([Form.DPO, Form.KTO]))
def test_judgements_that_are_exported_come_back_as_they_were(conversation, good, form):
    turns = [message.to_json() for message in conversation.messages]
    assume(conversation.answer is not None)
    told = {"id": conversation.external_id, "metadata": dict(conversation.metadata)}
    line = {**told, "prompt": turns[:-1], "chosen": turns[-1:], "rejected": [turn("assistant", "Never!")]}
    line |= {"messages": turns, "desirable": good}
    (imported,) = convert(preference_line(line, form))
    assert imported.conversation == dataclasses.replace(conversation, group=None)
    thumb = Thumb.UP if good else Thumb.DOWN
    wanted = Label(conversation.answer, "Never!") if form is Form.DPO else Label(conversation.answer, thumb=thumb)
    assert imported.label == (wanted if conversation.answer != "Never!" or form is Form.KTO else None)


def convert(*rows):
    reading = read(json.dumps(rows).encode(), "rows.json")
    return list(convert_all(reading, recognise(reading.columns, reading.head()).mapping))


def test_slices_that_checks_gave_are_not_taken_from_files():
    row = {"prompt": "a", "response": "b", "metadata": {"detected · topic": "x", "channel": "mail"}, "detected · mood": "y"}
    _, (conversation,), _ = load_rows(row)
    assert conversation.metadata == {"channel": "mail"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"shape": "csv"},
        {"shape": "pairs"},
        {"shape": "openai"},
        {"shape": "pairs", "prompt": 3},
        {"shape": "pairs", "prompt": "a", "response": "a"},
        {"shape": "pairs", "prompt": "a", "allow_prompts": "yes"},
        {"shape": "pairs", "prompt": "a", "metadata": [1]},
        {"shape": "pairs", "prompt": "a", "colour": "red"},
    ],
)
def test_mappings_that_make_no_sense_are_refused(value):
    with pytest.raises(InvalidInput):
        Mapping.from_json(value)


def test_a_mapping_to_a_column_that_is_not_there_is_refused_by_name():
    with pytest.raises(InvalidInput, match=r"no column answr.*prompt, answer"):
        Mapping(shape=Shape.PAIRS, prompt="prompt", response="answr").check(["prompt", "answer"])


@pytest.mark.parametrize(
    ("name", "kind", "taken", "rejected"),
    [
        ("alpaca/alpaca_en_demo.json", Kind.ALPACA, 999, 0),
        ("alpaca/dpo_en_demo.json", Kind.PREFERENCE, 300, 0),
        ("alpaca/kto_en_demo.json", Kind.THUMBS, 300, 0),
        ("sgd/dialogues.jsonl", Kind.OPENAI, 680, 0),
        ("bitext/customer_service_train.csv", Kind.PROMPTS, 0, 6480),
        ("banking77/train.csv", Kind.PROMPTS, 0, 10003),
    ],
)
def test_real_files_are_recognised_and_read_to_the_last_row(shared_data, name, kind, taken, rejected):
    found, imported, refused = load(shared_data / name, name)
    assert (found, len(imported), len(refused)) == (kind, taken, rejected)


def test_real_prompts_are_taken_with_their_tags_when_the_mapping_allows_them(shared_data):
    _, imported, refused = load(shared_data / "bitext/customer_service_train.csv", "bitext.csv", allow_prompts=True)
    assert (len(imported), refused) == (6480, [])
    assert imported[0].messages == (Message("user", "how can I cancel purchase 113542617735902?"),)
    assert imported[0].metadata["intent"] == "cancel_order"


def test_real_dialogues_keep_their_ids_services_and_turns(shared_data):
    _, imported, _ = load(shared_data / "sgd/dialogues.jsonl", "sgd.jsonl")
    assert imported[0].external_id == "1_00000"
    assert imported[0].metadata == {"services": "Restaurants_2"}
    assert len(imported[0].messages) == 12
    assert all(isinstance(conversation, Conversation) and conversation.answer for conversation in imported)
