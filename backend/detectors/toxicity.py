"""A flag for abusive language, by the linear model of alt-profanity-check. Pure; the model is loaded at the first use.

It is a flag, not a judgement: it knows swearing and insults, in English. Hatred in polite words passes it, and names of
groups alone may raise it. Use it to compare slices and to find texts to look at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NAME, VERSION = "alt-profanity-check", "1.9.1"
FLAGGED_FROM = 0.5


def abusive(texts: Sequence[str]) -> np.ndarray:
    """For each text whether it is flagged. Shape (n,), bool."""
    if not len(texts):
        return np.zeros(0, dtype=bool)
    from profanity_check import predict_prob  # brings scikit-learn, which only the few who ask for this should wait for

    return np.asarray(predict_prob(list(texts))) >= FLAGGED_FROM
