import csv
import itertools

from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors.duplicates import clusters, duplicate_key, near_pairs, normalise, similarity

short = st.lists(st.text(alphabet="abc d", max_size=14), max_size=8)


def key(*texts):
    return duplicate_key([Message("user", text) for text in texts])


def test_case_width_and_white_space_make_no_difference_but_words_do():
    assert key("Do you  ship?\n") == key("do you ship?")
    assert key("do you ship") != key("do you sell")
    assert key("a", "b") != key("a b")
    assert key("a") != duplicate_key([Message("assistant", "a")])


@given(short, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_no_pair_at_or_above_the_threshold_is_missed(texts, threshold):
    found = {(i, j) for i, j, _ in near_pairs(texts, threshold=threshold)}
    for i, j in itertools.combinations(range(len(texts)), 2):
        repeats = any(similarity(texts[k], texts[j]) == 1 for k in range(j)) or any(
            similarity(texts[k], texts[i]) == 1 for k in range(i)
        )
        if not repeats:
            assert ((i, j) in found) == (similarity(texts[i], texts[j]) >= threshold)


@given(short, st.integers(0, 8))
def test_what_was_compared_before_is_left_out(texts, since):
    every = set(near_pairs(texts, threshold=0.5))
    assert set(near_pairs(texts, threshold=0.5, since=since)) == {pair for pair in every if pair[1] >= since}


@given(short, st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_the_order(texts, random):
    order = list(range(len(texts)))
    random.shuffle(order)
    first, second = clusters(texts), clusters([texts[i] for i in order])
    for a, b in itertools.combinations(range(len(texts)), 2):
        assert (first[order[a]] == first[order[b]]) == (second[a] == second[b])


@given(st.text(max_size=20), st.text(max_size=20))
def test_similarity_is_symmetric_and_bounded(a, b):
    assert similarity(a, b) == similarity(b, a)
    assert 0 <= similarity(a, b) <= 1
    assert similarity(a, a) == 1


def test_small_edits_fall_into_one_cluster_and_other_questions_do_not():
    texts = [
        "When will my order arrive at my house in Atlanta?",
        "when will my order arrive at my house in atlanta",
        "When will my orders arrive at my house in Atlanta??",
        "Can I return a lamp that I bought last week?",
    ]
    assert clusters(texts) == [0, 0, 0, 3]
    assert clusters([]) == []


def test_real_questions_cluster_and_every_exact_repeat_is_with_its_first(shared_data):
    with (shared_data / "bitext/customer_service_train.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["utterance"] for row in csv.DictReader(file)][:1500]
    ids = clusters(texts)
    first = {}
    for text, cluster in zip(texts, ids, strict=True):
        assert first.setdefault(normalise(text), cluster) == cluster
    assert 1000 < len(set(ids)) < 1500
