"""Presidio as a second detector, for those who install it with a language model; off unless it is asked for.

`Presidio` gives spans in the words of this project. It reads no settings and fetches nothing: without the package, or
without its model on this machine, it says so. Not promised: the speed of the built-in detector (it is some hundred times
slower), or that its phone and identity numbers are better.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from backend.detectors.entities.spans import Entity, Span, without_overlaps
from backend.errors import ServiceUnavailable

_ENTITY = {
    "PERSON": Entity.PERSON,
    "LOCATION": Entity.GPE,
    "NRP": Entity.NRP,
    "ORGANIZATION": Entity.ORGANIZATION,
    "EMAIL_ADDRESS": Entity.EMAIL_ADDRESS,
    "PHONE_NUMBER": Entity.PHONE_NUMBER,
    "CREDIT_CARD": Entity.CREDIT_CARD,
    "IBAN_CODE": Entity.IBAN_CODE,
    "US_SSN": Entity.US_SSN,
    "US_DRIVER_LICENSE": Entity.US_DRIVER_LICENSE,
    "IP_ADDRESS": Entity.IP_ADDRESS,
    "URL": Entity.DOMAIN_NAME,
    "DATE_TIME": Entity.DATE_TIME,
}


def is_installed() -> bool:
    """Whether Presidio can be imported."""
    return importlib.util.find_spec("presidio_analyzer") is not None


class Presidio:
    """An analyzer in memory. `engine` is a `presidio_analyzer.AnalyzerEngine`; without it one is made with `model`."""

    def __init__(self, engine: Any = None, *, model: str = "en_core_web_sm", language: str = "en") -> None:
        self._language = language
        self._engine = engine if engine is not None else _engine(model, language)

    def find(self, text: str, *, least: float = 0.5) -> list[Span]:
        """The spans that it is sure enough of, by position, without overlaps."""
        found = self._engine.analyze(text=text, language=self._language, entities=sorted(_ENTITY))
        return without_overlaps(
            Span(result.start, result.end, _ENTITY[result.entity_type], round(float(result.score), 3))
            for result in found
            if result.score >= least and result.entity_type in _ENTITY
        )


def _engine(model: str, language: str) -> Any:
    if not is_installed():
        raise ServiceUnavailable("Presidio is not installed. The built-in detector needs nothing more.")
    if importlib.util.find_spec(model) is None:  # its default would fetch a model from the network
        raise ServiceUnavailable(f"Presidio needs the language model {model}, which is not installed on this machine.")
    provider = importlib.import_module("presidio_analyzer.nlp_engine").NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    )
    analyzer = importlib.import_module("presidio_analyzer").AnalyzerEngine
    return analyzer(nlp_engine=provider.create_engine(), supported_languages=[language])
