"""The audit of the data: what stands out in words, then one key and one measure as a dot plot with intervals."""

from __future__ import annotations

import streamlit as st

from backend.curation import auditing, fairness
from backend.curation.auditing import Audit, Scope
from backend.curation.observed import MENTIONS
from pages.components import charts
from pages.components.links import link_to
from pages.components.notices import plain
from pages.components.scorecard import show_scorecard
from pages.components.visit import Visit

SECONDS = 900
"""How long an audit is kept where nothing changed meanwhile; the names of topics do not count as a change."""
_TOLD = 8
_SCOPES = {Scope.ALL: "All records", Scope.APPROVED: "Approved records"}
_NUMBER, _SHARE = (st.column_config.NumberColumn(format=written) for written in ("%.3f", "percent"))
CANNOT = (
    "What this cannot tell: why slices differ (topics, products and seasons differ too), whether it is unfair, or who "
    "wrote a question. Who is mentioned is found by English word lists: names, hints and other languages are missed. Refusals, "
    "sentiment and abuse are told by word lists as well, the latter two in English. Where nothing stands out there "
    "may still be too few records to see it."
)


def show_audit(visit: Visit) -> None:
    """The whole tab."""
    first, second = st.columns([3, 1], vertical_alignment="bottom")
    scope = first.segmented_control(
        "Records", list(Scope), format_func=_SCOPES.__getitem__, default=Scope.ALL, key="audit-scope", required=True
    )
    least = second.number_input("Fewest records", 2, 1000, fairness.MIN_N, key="audit-min",
                                help="Smaller slices are greyed and not tested.")  # fmt: skip
    with visit.reading() as session:
        state = auditing.state(session, actor=visit.actor, project_id=visit.project_id)
    found = _audit(visit, visit.settings.database, visit.project_id, state, scope or Scope.ALL, int(least))
    if not found.records:
        st.info("There is nothing to audit yet: no records.", icon=":material/diversity_3:")
        link_to("imports", "Import records", icon="upload_file")
        return
    _scope(found)
    if not found.counts:
        st.info("Nothing is known of these records by which they could be told apart.", icon=":material/label_off:")
        st.text(
            "Import columns such as language, channel or customer segment, or run the checks: they find languages and topics."
        )
        link_to("cleaning", "Run the checks", icon="cleaning_services")
        return
    _standing(found)
    _cut(found)
    st.caption(CANNOT)
    if card := auditing.scorecard():
        st.subheader("How well mentions of people are found")
        show_scorecard(card)


@st.cache_resource(ttl=SECONDS, max_entries=30, show_spinner="Looking at the records…")
def _audit(_visit: Visit, database: str, project_id: int, state: tuple[int, ...], scope: Scope, min_n: int) -> Audit:
    """For everybody at once; nobody changes what is returned. The caller's `state` has asked the policy."""
    with _visit.reading() as session:
        return auditing.audit(session, actor=_visit.actor, project_id=project_id, scope=scope, min_n=min_n)


def _scope(found: Audit) -> None:
    said = f"{found.records:,} records"
    if found.looked_at < found.records:
        said = f"A random sample of {found.looked_at:,} of {said}, the same one each time"
    names = ", ".join(found.left_out[:6]) + (" …" if len(found.left_out) > 6 else "")
    st.text(said + (f". Left out, because they name things rather than groups: {names}." if names else "."))


def _standing(found: Audit) -> None:
    """What stands out, in words."""
    standing = fairness.standing(found.table)
    tested = int((found.table["p"].notna() & ~found.table["too small"]).sum())
    if standing.empty:
        words = f"None of {tested:,} comparisons stands out beyond chance." if tested else "Every slice is too small to test."
        st.success(words, icon=":material/check_circle:") if tested else st.info(words, icon=":material/hourglass_empty:")
        return
    told = [fairness.sentence(row) for row in standing.head(_TOLD).to_dict("records")]
    more = f"\n… and {len(standing) - _TOLD:,} more, in the table below." if len(standing) > _TOLD else ""
    st.warning(plain(f"{len(standing):,} of {tested:,} comparisons stand out:\n" + "\n".join(told) + more),
               icon=":material/warning:")  # fmt: skip
    with st.expander("All that stands out", icon=":material/table:"):
        frame = standing[["key", "slice", "title", "n", "value", "rest", "difference", "adjusted p"]]
        frame = frame.assign(key=[fairness.key_title(key) for key in frame["key"]])
        charts.show_table(frame.rename(columns={"title": "measure"}), key="audit-standing",
                          columns=dict.fromkeys(["value", "rest", "difference", "adjusted p"], _NUMBER))  # fmt: skip


def _cut(found: Audit) -> None:
    """One key in one measure."""
    keys, measures = list(found.counts), list(found.titles)
    standing = fairness.standing(found.table)
    at = (keys.index(standing["key"].iloc[0]), measures.index(standing["measure"].iloc[0])) if len(standing) else (0, 0)
    first, second = st.columns(2)
    key = first.selectbox("Told apart by", keys, at[0], format_func=fairness.key_title, key="audit-key")
    measure = second.selectbox("Measure", measures, at[1], format_func=found.titles.__getitem__, key="audit-measure")
    chosen = (found.table["key"] == key) & (found.table["measure"] == measure)
    frame = found.table[chosen].drop(columns=["key", "measure", "title"]).reset_index(drop=True)
    if frame.empty:
        st.info(
            "None of these records has this measure: decide on some, or look at all records.", icon=":material/hourglass_empty:"
        )
        return
    share = bool(frame["is_share"].iloc[0])
    frame = frame.drop(columns="is_share")
    figure = charts.intervals(
        frame,
        name="slice",
        value="value",
        low="low",
        high="high",
        faded="too small",
        reference=found.overall[measure],
        share=share,
    )
    numbers = dict.fromkeys([name for name in frame.columns if frame[name].dtype.kind == "f"], _NUMBER)
    charts.show_chart(figure, frame, key="audit", columns=numbers)
    method = "Wilson's intervals, Newcombe's for the difference" if share else "t intervals, Welch's for the difference"
    st.caption(
        f"95% {method}. The dotted line is the mean of all records. Adjusted p: "
        f"Benjamini-Hochberg over all comparisons of this audit that are not small; at most {fairness.LEVEL} stands out."
    )
    _records(found, str(key))


def _records(found: Audit, key: str) -> None:
    """How many records each value has, and the way to them."""
    with st.expander("How many records", icon=":material/numbers:"):
        charts.show_table(found.counts[key], key="audit-counts", columns=dict.fromkeys(["share", "low", "high"], _SHARE))
    if key.startswith(MENTIONS):
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Records of", found.counts[key]["slice"].tolist(), key=f"audit-slice-{key}", width=320)
        link_to("records", "Show them", icon="table_rows", address={"slice_key": key, "slice_value": str(name)})
