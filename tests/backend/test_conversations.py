import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import (
    ASSISTANT,
    SYSTEM,
    USER,
    Conversation,
    Message,
    Shape,
    content_hash,
    escape_cell,
    fault,
    from_row,
    join_turns,
    parse_turns,
    to_csv,
    to_jsonl,
    to_row,
    unescape_cell,
)
from backend.errors import InvalidInput

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=30).filter(str.strip)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Any conversation without a fault, with or without a system message, answer, id, group and metadata."""
    system = [Message(SYSTEM, draw(texts))] if draw(st.booleans()) else []
    pairs = [m for _ in range(draw(st.integers(1, 3))) for m in (Message(USER, draw(texts)), Message(ASSISTANT, draw(texts)))]
    if draw(st.booleans()):
        pairs.pop()
    metadata = draw(st.dictionaries(texts, texts, max_size=3))
    return Conversation(tuple(system + pairs), metadata, draw(st.none() | texts), draw(st.none() | texts))


@given(conversation=conversations(), shape=st.sampled_from(Shape))
def test_every_shape_carries_every_conversation_without_loss(conversation, shape):
    row = json.loads(json.dumps(to_row(conversation, shape)))
    assert from_row(row, shape) == conversation


@given(text=st.text(alphabet="'=+-@\tab1\n＝", max_size=8))
def test_escaped_cells_are_safe_and_come_back(text):
    escaped = escape_cell(text)
    assert not escaped.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert unescape_cell(escaped) == text


def test_a_csv_export_disarms_formulas_and_has_a_column_for_each_metadata_key():
    one = Conversation((Message(USER, "=HYPERLINK(1)"), Message(ASSISTANT, "no")), {"channel": "chat"})
    two = Conversation((Message(USER, "hi"), Message(ASSISTANT, "-2+3")), {"segment": "new"})
    rows = list(csv.DictReader(io.StringIO("".join(to_csv([one, two])), newline="")))
    assert [row["prompt"] for row in rows] == ["'=HYPERLINK(1)", "hi"]
    assert rows[1]["response"] == "'-2+3"
    assert (rows[0]["metadata.channel"], rows[0]["metadata.segment"]) == ("chat", "")


def test_jsonl_has_one_line_for_each_conversation_even_with_line_breaks_inside():
    conversation = Conversation((Message(USER, "a\nb\r\u2028c"), Message(ASSISTANT, "d")))
    (line,) = to_jsonl([conversation], Shape.SHAREGPT)
    assert line.count("\n") == 1
    assert json.loads(line)["conversations"][0]["from"] == "human"


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ([], "no message of the user"),
        (["system"], "no message of the user"),
        (["assistant", "user"], "speaks first"),
        (["user", "user", "assistant"], "messages 1 and 2 are both from the user"),
        (["system", "user", "assistant", "assistant"], "messages 3 and 4 are both from the assistant"),
        (["user", "system", "assistant"], "only the first"),
        (["user", "tool", "assistant"], "role 'tool'"),
        (["user"], "no answer"),
    ],
)
def test_turns_in_a_wrong_order_are_refused_with_the_place(roles, reason):
    assert reason in fault([Message(role, "text") for role in roles])


@pytest.mark.parametrize("text", ["", "  \n", "a\x00b", "\ud800"])
def test_texts_that_are_empty_or_cannot_be_stored_are_refused(text):
    assert fault([Message(USER, "q"), Message(ASSISTANT, text)]).startswith("message 2 (assistant)")


def test_a_prompt_without_answer_is_fine_where_it_is_allowed():
    prompt = [Message(USER, "q")]
    assert fault(prompt, answer=False) is None
    assert Conversation(tuple(prompt)).answer is None


def test_joining_makes_alternating_turns_of_a_chat_sent_in_pieces():
    pieces = [Message(USER, "hi"), Message(USER, "where is it?"), Message(ASSISTANT, "here")]
    assert join_turns(pieces) == (Message(USER, "hi\nwhere is it?"), Message(ASSISTANT, "here"))


def test_content_parts_are_joined_and_pictures_refused():
    assert parse_turns([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]) == (Message(USER, "hi"),)
    with pytest.raises(InvalidInput, match="content of message 1 is not text"):
        parse_turns([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])


def test_metadata_of_any_type_becomes_text_and_empty_values_vanish():
    raw = {" a ": 1, "b": True, "c": ["x", "y"], "d": {"k": [1]}, "e": None, "f": float("nan"), "g": " ", "h": 1.5}
    assert Conversation((), raw).metadata == {"a": "1", "b": "true", "c": "x, y", "d": '{"k": [1]}', "h": "1.5"}


def test_the_hash_tells_where_one_message_ends():
    joined = content_hash([Message(USER, "ab")])
    assert joined != content_hash([Message(USER, "a"), Message(USER, "b")])
    assert joined == content_hash([Message(USER, "ab")])


@pytest.mark.parametrize(
    ("row", "shape", "reason"),
    [
        ({"messages": "[{]"}, Shape.OPENAI, "not valid JSON"),
        ({"messages": 3}, Shape.OPENAI, "not a list"),
        ({"conversations": ["hi"]}, Shape.SHAREGPT, "message 1 is not an object"),
        ({"instruction": None, "output": "x"}, Shape.ALPACA, "prompt is missing"),
        ({"instruction": "a", "output": 42}, Shape.ALPACA, "response is not text"),
        ({"instruction": "a", "output": "b", "history": [["x"]]}, Shape.ALPACA, "pairs of two texts"),
        ({"prompt": "a", "response": "b", "history": "[" * 100_000}, Shape.PAIRS, "not valid JSON"),
        ({"instruction": "a", "output": "b", "metadata": "x"}, Shape.ALPACA, "metadata is not an object"),
    ],
)
def test_rows_that_carry_no_conversation_are_refused_with_the_reason(row, shape, reason):
    with pytest.raises(InvalidInput, match=reason):
        from_row(row, shape)
