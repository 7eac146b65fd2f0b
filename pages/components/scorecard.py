"""How good a detector is on named data, and what it is not good enough for."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

_NAMES = {
    "PERSON": "Names", "STREET_ADDRESS": "Postal addresses", "GPE": "Towns and countries", "ORGANIZATION": "Organisations",
    "TITLE": "Occupations and titles", "NRP": "Nationalities", "EMAIL_ADDRESS": "E-mail addresses",
    "PHONE_NUMBER": "Phone numbers", "CREDIT_CARD": "Cards", "IBAN_CODE": "IBANs", "US_SSN": "US social security numbers",
    "US_DRIVER_LICENSE": "Driver's licences", "IP_ADDRESS": "IP addresses", "DOMAIN_NAME": "Web addresses",
    "DATE_TIME": "Dates", "AGE": "Ages", "ZIP_CODE": "Postal codes",
}  # fmt: skip
_COLUMNS = {
    "precision": st.column_config.NumberColumn(
        "Precision", format="percent", width="small", help="Of what was found, the share that is labelled so."
    ),
    "recall": st.column_config.NumberColumn(
        "Recall", format="percent", width="small", help="Of what is labelled, the share that was found."
    ),
    "f2": st.column_config.NumberColumn("F2", format="percent", width="small", help="Both in one; recall counts more."),
    "labelled": st.column_config.NumberColumn("Labelled places", width="small"),
}


def show_scorecard(card: dict[str, Any]) -> None:
    """The figures with their date and command."""
    st.subheader("How good the detector is")
    spans, names, alarms = card["spans"], card["names"], card["alarms"]
    one, two, three, four = st.columns(4)
    one.metric("F2 over personal data", f"{spans['personal']['f2']:.0%}", help="A place counts if nine tenths of it are right.")
    two.metric("Characters of names found", f"{names['as_written']:.0%}")
    three.metric("The same in lower case", f"{names['lower_case']:.0%}")
    four.metric(
        "False alarms",
        f"{alarms['banking77']['product']:.1%}",
        help="Share of bank questions without personal data that are marked.",
    )
    st.info(card["weakness"], icon=":material/warning:")
    with st.expander("By kind", icon=":material/table_chart:"):
        rows = pd.DataFrame([{"what": _NAMES.get(kind, kind), **figures} for kind, figures in spans["each"].items()])
        st.dataframe(
            rows.sort_values("labelled", ascending=False), hide_index=True, width="stretch",
            column_config={"what": "Kind", **_COLUMNS}, column_order=["what", "precision", "recall", "f2", "labelled"],
        )  # fmt: skip
    st.caption(f"Measured on {card['date']} by “{card['command']}”, detector version {card['version']}, on {card['data']}.")
