from dataclasses import dataclass

import pytest

from backend.detectors.entities.spans import Entity
from backend.detectors.presidio_adapter import Presidio, is_installed
from backend.errors import ServiceUnavailable


@dataclass
class Result:
    start: int
    end: int
    entity_type: str
    score: float


class Engine:
    """What Presidio's engine answers, by hand."""

    def analyze(self, *, text, language, entities):
        return [Result(0, 4, "PERSON", 0.85), Result(0, 2, "NRP", 0.9), Result(8, 13, "LOCATION", 0.3)]


def test_its_answers_become_the_projects_spans_without_overlaps_and_without_what_it_is_unsure_of():
    assert [(s.start, s.end, s.entity) for s in Presidio(Engine()).find("Anna in Leeds")] == [(0, 4, Entity.PERSON)]


@pytest.mark.skipif(is_installed(), reason="presidio-analyzer is installed")
def test_without_the_package_it_says_so():
    with pytest.raises(ServiceUnavailable, match="not installed"):
        Presidio()


@pytest.mark.skipif(not is_installed(), reason="presidio-analyzer is not installed")
def test_a_language_model_is_never_fetched():
    with pytest.raises(ServiceUnavailable, match="language model"):
        Presidio(model="xx_no_such_model")
