"""The page Export, as a lead sees it."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from backend.datasets.formats import FITTING, What
from backend.runtime import Runtime
from tests.backend.datasets.conftest import Shop
from tests.pages.desk import opened, words


@pytest.fixture
def shop(house: Runtime) -> Shop:
    made = Shop(house.database, house.settings.data)
    made.settings = house.settings
    return made


def made(page: AppTest) -> AppTest:
    page.button(key="export_make").click().run()
    until = time.monotonic() + 30
    while time.monotonic() < until and not page.session_state["export_work"].finished:
        time.sleep(0.05)
    page.run()
    assert not page.exception
    return page


def test_a_lead_takes_approved_texts_in_a_chosen_format(house: Runtime, shop: Shop) -> None:
    shop.fill(3)
    page = opened(house, shop.lead, "exports")
    page.selectbox(key="export_form_approved").select("csv").run()
    made(page)
    assert page.get("download_button")[-1].proto.label == "Download 3 rows"
    assert "shop-approved.csv" in words(page)


def test_only_what_goes_together_is_offered_and_nothing_to_export_is_told(house: Runtime, shop: Shop) -> None:
    page = opened(house, shop.lead, "exports")
    for what in (What.ANNOTATIONS, What.PREFERENCES):
        page.button_group(key="export_what").set_value(what).run()
        assert len(page.selectbox(key=f"export_form_{what}").options) == len(FITTING[what])
    made(page)
    assert "There is nothing to export here yet" in words(page)
    assert not page.get("download_button")
