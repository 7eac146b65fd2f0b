import codecs
import gzip
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import UnreadableFile
from backend.intake.readers.registry import read
from backend.intake.readers.rows import Limits, Rejected, Row


def rows(content, name="file.csv", **options):
    return [item.values for item in read(content, name, **options) if isinstance(item, Row)]


def rejected(content, name="file.csv", **options):
    return [item for item in read(content, name, **options) if isinstance(item, Rejected)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_recognised_even_when_texts_hold_other_ones(separator, end):
    cells = [["prompt", "response", "note"], ["Hi, there; you|all\tok", 'a\n""b"" c', "1"], ["x, y", "z", "2;3"]]
    content = end.join(separator.join(f'"{cell}"' for cell in row) for row in cells)
    found = rows(content.encode())
    assert [list(row) for row in found] == [["prompt", "response", "note"]] * 2
    assert found[0]["prompt"] == "Hi, there; you|all\tok"
    assert found[0]["response"] == 'a\n"b" c'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"])
def test_encodings_are_found_by_trial(encoding):
    content = "question;answer\nWo ist das Café?;Über der Straße, täglich 9 bis 17 Uhr\n".encode(encoding)
    assert rows(content) == [{"question": "Wo ist das Café?", "answer": "Über der Straße, täglich 9 bis 17 Uhr"}]


def test_an_encoding_can_be_named_and_a_wrong_one_is_refused():
    content = "question,answer\nгде,тут\n".encode("cp1251")
    assert rows(content, encoding="cp1251")[0]["answer"] == "тут"
    with pytest.raises(UnreadableFile, match="not valid utf-8"):
        read(content, "a.csv", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="no encoding"):
        read(content, "a.csv", encoding="klingon")


def test_one_stray_byte_in_utf8_costs_no_other_row():
    content = "q,a\nÜber,gut\nöde,fein\n".encode() + b"bad\xff,x\n"
    assert rows(content)[:2] == [{"q": "Über", "a": "gut"}, {"q": "öde", "a": "fein"}]


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.csv", "is empty"),
        (b" \n\n", "a.json", "is empty"),
        (codecs.BOM_UTF8 + b"\n", "a.csv", "no rows"),
        (b"prompt,response\n", "a.csv", "header but no rows"),
        (gzip.compress(b"prompt,response\na,b\n", mtime=0), "a.csv", "gzip"),
        (b"PK\x03\x04" + b"\0" * 99, "sheet.csv", "broken ZIP"),
        (b"%PDF-1.7 ...", "a.json", "cannot be read as a PDF"),
        (bytes(range(256)) * 20, "a.csv", "not a text file"),
        (b"prompt,response\na,b\n", "a.json", "is not JSON"),
        (b"[]", "a.json", "empty list"),
        (b"[1, 2]", "a.json", "no JSON objects"),
        (b'[{"a": 1}, {"a": ', "a.json", "broken at line 1, column 18"),
        (b'[{"a": 1}\n {"a": 2}]', "a.json", "broken at line 2: a comma"),
        (b'[{"a": 1}] tail', "a.json", "goes on after the end"),
        (b"[" * 100_000, "a.json", "nested too deeply"),
        (b'{"a": ' * 100_000, "a.json", "nested too deeply"),
        (b'{"a":\n1}\n{"a":\n2}', "a.json", "several objects that span lines"),
        ("x,y\n1,2\n".encode("utf-16")[:-1], "a.csv", "not valid utf-16"),
    ],
)
def test_files_that_cannot_be_read_at_all_are_refused_with_what_is_wrong(content, name, reason):
    with pytest.raises(UnreadableFile, match=reason) as refusal:
        list(read(content, name))
    assert name in refusal.value.message


def test_random_bytes_are_refused():
    with pytest.raises(UnreadableFile):
        read(os.urandom(5000).replace(b"\x1f\x8b", b""), "a.csv")


def test_limits_on_bytes_rows_and_row_length():
    content = b"prompt,response\n" + b"a,b\n" * 10 + b"x," + b"y" * 500 + b"\n"
    with pytest.raises(UnreadableFile, match="at most 100 are taken"):
        read(content, "a.csv", limits=Limits(max_bytes=100))
    with pytest.raises(UnreadableFile, match="more than 5 rows"):
        list(read(content, "a.csv", limits=Limits(max_rows=5)))
    (item,) = rejected(content, limits=Limits(max_row_chars=100))
    assert (item.line, "501 characters" in item.reason) == (12, True)
    line = json.dumps({"prompt": "p" * 200}).encode()
    (item,) = rejected(b'{"prompt": "p"}\n' + line, "a.jsonl", limits=Limits(max_row_chars=100))
    assert item.line == 2


def test_bad_csv_rows_are_rejected_with_their_line_and_the_others_kept():
    content = b'prompt,response\n"two\nlines",ok\nonly one\n\na,b,c\n\n,\nlast,row,,\n'
    reading = read(content, "a.csv")
    assert [(item.line, type(item).__name__) for item in reading] == [(2, "Row"), (4, "Rejected"), (6, "Rejected"), (9, "Row")]
    assert [item.reason for item in reading if isinstance(item, Rejected)] == [
        "has 1 cells, but the header has 2",
        "has 3 cells, but the header has 2",
    ]


def test_a_quote_that_is_never_closed_costs_one_line_not_the_rest():
    content = b'prompt,response\na,b\n"oops,c\nd,e\nf,g\n'
    assert [row["prompt"] for row in rows(content)] == ["a", "d", "f"]
    (item,) = rejected(content)
    assert (item.line, item.reason, item.excerpt) == (3, "opens a quote that is never closed", '"oops,c')


def test_an_open_quote_in_a_long_file_gives_up_after_the_longest_row():
    content = b'prompt,response\n"oops,c\n' + b"a,b\n" * 1000
    reading = read(content, "a.csv", limits=Limits(max_row_chars=50))
    assert sum(isinstance(item, Row) for item in reading) == 1000


def test_backslash_quotes_excels_separator_line_and_odd_headers():
    assert rows(b'p,r\n"say \\"hi\\", ok",x\n"\\"a\\"",y\n')[0] == {"p": 'say "hi", ok', "r": "x"}
    assert rows(b"sep=;\r\np;r\r\na,b;c\r\n") == [{"p": "a,b", "r": "c"}]
    assert list(rows(b" p ,,p\n1,2,3\n")[0]) == ["p", "column 2", "p (2)"]
    assert rows(b"p\njust one column; no separator\n", "a.txt") == [{"p": "just one column; no separator"}]


def test_nul_characters_do_not_end_the_file():
    assert [row["p"] for row in rows(b"p,r\n" + b"a,b\n" * 100 + b"x\x00y,c\n" + b"d,e\n")][-2:] == ["x\x00y", "d"]


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        (b'[{"a": "1"}, {"a": "2"}]', "a.json", "json"),
        (b'{"total": 2, "data": [{"a": "1"}, {"a": "2"}]}', "a.json", "json"),
        (b'{\n"data": [\n{"a": "1"},\n{"a": "2"}]}', "a.json", "json"),
        (b'{"a": "1"}\n\n{"a": "2"}\n', "a.jsonl", "jsonl"),
        (b'{"a": "1"}\r\n{"a": "2"}', "a.json", "jsonl"),
        (b'{"a": "1"}\n{"a": "2"}', "download", "jsonl"),
        (codecs.BOM_UTF8 + b'[{"a": "1"},\n {"a": "2"}]', "a.JSON", "json"),
        ('[{"a": "1"}, {"a": "2"}]'.encode("utf-16"), "a.json", "json"),
    ],
)
def test_json_in_its_usual_forms(content, name, form):
    reading = read(content, name)
    assert (reading.format, reading.columns) == (form, ("a",))
    assert [item.values for item in reading] == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_one_object_is_one_row_and_its_turns_are_no_rows(name):
    content = b'{"messages": [{"role": "user", "content": "hi"}]}'
    assert len(rows(content, name)) == 1


def test_broken_jsonl_lines_are_rejected_alone():
    deep = b'{"a": ' + b"[" * 100_000
    content = b'{"a": "1"}\n{"a": \n[1]\n' + deep + b'\n{"a": ' + b"9" * 5000 + b'}\n{"a": "last"}'
    items = list(read(content, "a.jsonl"))
    assert [item.line for item in items if isinstance(item, Rejected)] == [2, 3, 4]
    assert [item.reason.split(":")[0] for item in items if isinstance(item, Rejected)] == [
        "is not valid JSON",
        "is not a JSON object",
        "is nested too deeply",
    ]
    assert items[-2].values == {"a": "9" * 5000}
    assert items[-1].values == {"a": "last"}


def test_rows_of_a_json_list_know_their_lines():
    reading = read(b'[\n  {"a": 1},\n  {\n    "a": 2\n  },\n  3\n]', "a.json")
    assert [item.line for item in reading] == [2, 3, 6]


def test_a_file_on_disk_is_read_like_its_bytes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"p,r\n1,2\n")
    assert list(read(path, "a.csv")) == list(read(path.read_bytes(), "a.csv"))


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json", "a.jsonl", "a.txt", "a"]))
def test_any_bytes_are_read_or_refused(content, name):
    refused = None
    items = []
    try:
        items = list(read(content, name))
    except UnreadableFile as error:
        refused = error.message
    assert bool(items) != bool(refused)
