"""What questions are about: groups of texts that share their telling words. Pure; the same texts and seed give the same.

`cluster` looks at a sample: hashed character n-grams of the telling words, TF-IDF, truncated SVD, MiniBatchKMeans. Each
group then gets a centre in the space of the n-grams themselves, a few hundred weights, so that `Assigner` puts any later
text to its topic without the sample, the SVD or a new clustering, and texts that share nothing with any topic to none.

Which features: measured on banking77 and Bitext (`tests/bench/cards/topics.py`). Character n-grams of the telling words did
as well as words and pairs with them, and forgive typing errors; word pairs alone did worse. Not promised: the topics that a
person would make; neighbours in meaning that share no words come apart. A sentence model (`sentence_adapter`) can take the
place of the SVD.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from backend.detectors.telling_words import names_of, telling_words, terms_of, words_of_stored
from backend.errors import InvalidInput
from backend.vocabulary import DETECTED

DETECTOR, VERSION = "topics", "1"
SLICE = DETECTED + "topic"
LEAST_TEXTS = 20
"""Fewer texts make no topics."""
MOST_FITTED = 50_000
FEWEST, MOST = 4, 40
SIZES = (4, 6, 8, 10, 12, 16, 20, 25, 30, 40)
"""Numbers of topics that are tried when none is given."""
MOST_ON_MAP = 2000
NONE = -1
"""The label of a text that fits no topic."""

_FEATURES = 2**16
_DIMENSIONS = 50
_WEIGHTS = 400
_JUDGED = 2000
_BATCH = 20_000
_LEAST_SHARE = 0.8
"""A text belongs to a topic if it is at least this much as near to the centre as all but one in fifty of the sample's own."""

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts to vectors, one row each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One topic. `centre` is as `Assigner` reads it; `size` counts the sample's texts."""

    name: str
    terms: tuple[str, ...]
    centre: tuple[float, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """Topics, the largest first; the topic of each text (NONE for none), and the places of some on a map."""

    topics: tuple[Found, ...]
    labels: np.ndarray
    shown: np.ndarray
    """Indices of the texts that have a place."""
    places: np.ndarray
    """Their places, one row each, between -1 and 1."""
    silhouettes: dict[int, float]
    """Of each number of topics that was tried."""


class Assigner:
    """Puts texts to the nearest of some centres. A centre is: how near a text must be, then index and weight in turn."""

    def __init__(self, centres: Sequence[Sequence[float]]) -> None:
        self._least = np.array([centre[0] for centre in centres])
        rows = np.repeat(np.arange(len(centres)), [(len(centre) - 1) // 2 for centre in centres])
        places = np.array([place for centre in centres for place in centre[1::2]], dtype=int)
        weights = np.array([weight for centre in centres for weight in centre[2::2]], dtype=float)
        self._centres = csr_matrix((weights, (rows, places)), shape=(len(centres), _FEATURES)).T.tocsr()

    def assign(self, texts: Sequence[str]) -> np.ndarray:
        """The index of each text's centre, NONE where none is near enough."""
        labels = [self.nearest(_counts(texts[start : start + _BATCH])) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(labels) if labels else np.zeros(0, dtype=int)

    def assign_stored(self, conversations: Sequence[str]) -> np.ndarray:
        """`assign` for conversations, given as the JSON of their messages; made to run in other processes."""
        return self.assign(words_of_stored(conversations))

    def nearest(self, counts: csr_matrix) -> np.ndarray:
        """`assign` for texts whose n-grams are counted already."""
        near = (counts @ self._centres).toarray()
        best = near.argmax(axis=1)
        return np.where(near[np.arange(len(near)), best] >= self._least[best], best, NONE)


def cluster(
    texts: Sequence[str], *, count: int | None = None, seed: int = 0, embed: Embed | None = None, on_map: bool = True
) -> Clustering:
    """Find topics in a sample of at most MOST_FITTED texts.

    `count` is how many, or None for the number in SIZES whose silhouette is best. `embed` takes the place of TF-IDF and SVD.
    """
    if not LEAST_TEXTS <= len(texts) <= MOST_FITTED:
        raise InvalidInput(f"Topics need at least {LEAST_TEXTS} questions with words in them; there are {len(texts)}.")
    if count is not None and not 2 <= count <= min(MOST, len(texts) // 2):
        raise InvalidInput(f"Choose between 2 and {min(MOST, len(texts) // 2)} topics for {len(texts):,} questions.")
    counts = _counts(texts)
    if (counts.getnnz(axis=1) > 0).sum() < LEAST_TEXTS:
        raise InvalidInput(f"Topics need at least {LEAST_TEXTS} questions with words in them.")
    weigh = TfidfTransformer().fit(counts)
    weighted = weigh.transform(counts)
    space = normalize(np.asarray(embed(texts), dtype=float)) if embed else _reduced(weighted, seed)
    with threadpool_limits(1):  # of so little at a time, threads wait for each other longer than they work
        labels, silhouettes = _best_grouping(space, count, seed)
    labels = np.where(counts.getnnz(axis=1) > 0, labels, NONE)
    centres = _centres(counts, weighted, weigh.idf_, labels)
    labels = Assigner(centres).nearest(counts)
    order = [int(topic) for topic in np.argsort(-np.bincount(labels[labels >= 0], minlength=len(centres)), kind="stable")]
    order = [topic for topic in order if (labels == topic).any()]
    place_of = {topic: place for place, topic in enumerate(order)}
    labels = np.array([place_of.get(int(label), NONE) for label in labels])
    terms = terms_of(texts, labels, len(order))
    topics = tuple(
        Found(name=name, terms=tuple(words), centre=centres[topic], size=int((labels == place).sum()))
        for place, (topic, name, words) in enumerate(zip(order, names_of(terms), terms, strict=True))
    )
    with threadpool_limits(1):
        shown, places = _map(space, labels, seed) if on_map else (np.zeros(0, dtype=int), np.zeros((0, 2)))
    return Clustering(topics=topics, labels=labels, shown=shown, places=places, silhouettes=silhouettes)


def _counts(texts: Sequence[str]) -> csr_matrix:
    """Counts of n-grams over the different telling words of each text, each row of length 1; it needs nothing but the texts.

    N-grams do not cross words, so each word of the batch is cut up once, however many texts hold it.
    """
    number: dict[str, int] = {}
    held = [[number.setdefault(word, len(number)) for word in dict.fromkeys(telling_words(text))] for text in texts]
    if not number:
        return csr_matrix((len(texts), _FEATURES))
    starts = np.cumsum([0, *(len(words) for words in held)])
    chosen = np.fromiter((word for words in held for word in words), dtype=np.int64, count=int(starts[-1]))
    cut = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=_FEATURES, alternate_sign=False, norm=None)
    return normalize(
        csr_matrix((np.ones(len(chosen)), chosen, starts), shape=(len(texts), len(number))) @ cut.transform(number)
    )


def _reduced(weighted: csr_matrix, seed: int) -> np.ndarray:
    size = min(_DIMENSIONS, weighted.shape[0] - 1)
    return normalize(TruncatedSVD(size, n_iter=3, random_state=seed).fit_transform(weighted))


def _best_grouping(space: np.ndarray, count: int | None, seed: int) -> tuple[np.ndarray, dict[int, float]]:
    """Labels, and the silhouette of every number tried. Ties and near-ties go to the smaller number."""
    most = max(FEWEST, min(MOST, len(space) // 10))
    tried: dict[int, tuple[float, np.ndarray]] = {}
    for size in [count] if count else [size for size in SIZES if size <= most]:
        labels = MiniBatchKMeans(size, random_state=seed, n_init=3, batch_size=2048, max_iter=100).fit_predict(space)
        tried[size] = (_silhouette(space, labels, seed), labels)
    best = max(score for score, _ in tried.values())
    chosen = next(size for size, (score, _) in tried.items() if score >= best - 0.01)
    return tried[chosen][1], {size: round(score, 4) for size, (score, _) in tried.items()}


def _silhouette(space: np.ndarray, labels: np.ndarray, seed: int) -> float:
    picked = np.random.default_rng(seed).permutation(len(space))[:_JUDGED]
    kinds = len(set(labels[picked].tolist()))
    return float(silhouette_score(space[picked], labels[picked])) if 1 < kinds < len(picked) else -1.0


def _centres(counts: csr_matrix, weighted: csr_matrix, idf: np.ndarray, labels: np.ndarray) -> list[tuple[float, ...]]:
    """The mean of each group, cut to its heaviest weights, with the rarity of the n-grams worked in."""
    packed = []
    for topic in sorted(set(labels[labels >= 0].tolist())):
        members = np.flatnonzero(labels == topic)
        mean = np.asarray(weighted[members].mean(axis=0)).ravel()
        heaviest = np.sort(np.argsort(-mean, kind="stable")[:_WEIGHTS])
        heaviest = heaviest[mean[heaviest] > 0]
        weights = mean[heaviest] / np.linalg.norm(mean[heaviest]) * idf[heaviest]
        near = counts[members][:, heaviest] @ weights
        least = _LEAST_SHARE * float(np.quantile(near, 0.02))
        pairs = (value for pair in zip(heaviest.tolist(), weights.round(4).tolist(), strict=True) for value in pair)
        packed.append((round(least, 4), *pairs))
    return packed


def _map(space: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in the plane that keep neighbours together (t-SNE), for a sample."""
    from sklearn.manifold import TSNE

    known = np.flatnonzero(labels >= 0)
    shown = np.sort(np.random.default_rng(seed).permutation(known)[:MOST_ON_MAP])
    perplexity = min(30.0, max(2.0, (len(shown) - 1) / 4))
    # a hair of noise, because equal texts would stand on one and the same point
    spread = space[shown] + np.random.default_rng(seed).normal(0, 1e-3, (len(shown), space.shape[1]))
    places = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(spread)
    reach = np.abs(places).max() or 1.0
    return shown, (places / reach).round(4)
