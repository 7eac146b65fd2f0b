from __future__ import annotations

import subprocess
import sys

from backend.detectors.toxicity import abusive


def test_insults_are_flagged_and_a_shops_answers_are_not() -> None:
    assert abusive(["you are a stupid idiot", "Thank you, your order ships today.", ""]).tolist() == [True, False, False]
    assert abusive([]).tolist() == []


def test_hatred_in_polite_words_passes_which_is_why_it_is_called_a_flag() -> None:
    assert not abusive(["Women should not be allowed to vote."]).any()


def test_nobody_waits_for_the_model_who_does_not_ask() -> None:
    code = "import sys, backend.detectors.toxicity; sys.exit('profanity_check' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
