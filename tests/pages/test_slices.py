from __future__ import annotations

from streamlit.testing.v1 import AppTest

from backend.runtime import Runtime
from tests.pages.test_results import a_page


def opened_table(page: AppTest) -> AppTest:
    """The page with the table behind the forest plot open."""
    page.session_state["slices-language-behind"] = True
    return page.run()


def test_a_measure_is_cut_by_a_metadata_key_and_small_slices_are_marked(house: Runtime) -> None:
    page = opened_table(a_page(house, "slices"))
    assert not page.exception
    assert page.selectbox(key="slice-measure").value == "Win rate in blind comparisons"
    assert page.selectbox(key="slice-version").value == "1 · Version 1"
    frame = page.dataframe[0].value.set_index("slice")
    assert frame["n"].to_dict() == {"en": 9, "es": 3}
    assert frame["too small"].all()
    assert "too small to test" in page.info[0].value
    page.number_input(key="slice-min").set_value(2).run()
    assert not page.dataframe[0].value["too small"].any()


def test_every_measure_can_be_drawn(house: Runtime) -> None:
    page = opened_table(a_page(house, "slices"))
    titles = page.selectbox(key="slice-measure").options
    assert {"Exact match", "ROUGE-L", "Refusals (share)", "Length of the answer (characters)"} < set(titles)
    for title in titles:
        page.selectbox(key="slice-measure").select(title).run()
        assert not page.exception
        assert len(page.dataframe[0].value) == 2


def test_without_anything_judged_the_page_says_what_to_do(house: Runtime) -> None:
    page = a_page(house, "slices", answered=False)
    assert not page.exception
    assert "nothing to cut yet" in page.info[0].value
