from __future__ import annotations

import pandas as pd

from pages.components.charts import as_csv, label


def test_no_cell_and_no_title_of_a_csv_is_run_by_a_spreadsheet() -> None:
    frame = pd.DataFrame({"=HYPERLINK(1)": ["+1", "fine"], "n": [-1, 2]})
    assert as_csv(frame).decode().splitlines() == ["'=HYPERLINK(1),n", "'+1,-1", "fine,2"]


def test_a_label_is_read_as_text() -> None:
    assert label("<a href='x'>y</a>") == "&lt;a href=&#x27;x&#x27;&gt;y&lt;/a&gt;"
