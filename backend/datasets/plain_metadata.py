"""Metadata without personal data. Every column of an imported file becomes metadata, a customer's name and address too. Pure.

Only values are left out, and only where they are written for others to learn from; filters and figures still have them.
Not promised: that a value which merely reads like a name stays, such as a town's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from backend.detectors.personal import find_in_texts
from backend.detectors.privacy import PrivacyRules

_AT_ONCE = 500


class PlainMetadata:
    """Leaves out values that hold personal data by a project's rules; each value is looked at once."""

    def __init__(self, rules: PrivacyRules) -> None:
        self._rules = rules
        self._is_personal: dict[str, bool] = {}
        self.left_out: Counter[str] = Counter()
        """By key, how often a value was left out."""

    def learn(self, several: Iterable[Mapping[str, Any]]) -> None:
        """Look at the values of many records together, which takes less time."""
        texts = list(dict.fromkeys(str(value) for one in several for value in one.values() if value not in self._is_personal))
        for start in range(0, len(texts), _AT_ONCE):
            batch = texts[start : start + _AT_ONCE]
            self._is_personal.update(zip(batch, map(bool, find_in_texts(batch, self._rules)), strict=True))

    def of(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The metadata without those values."""
        if any(str(value) not in self._is_personal for value in metadata.values()):
            self.learn([metadata])
        left = {key for key, value in metadata.items() if self._is_personal[str(value)]}
        self.left_out.update(left)
        return {key: value for key, value in metadata.items() if key not in left}
