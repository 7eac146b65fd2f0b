"""The small server-rendered pages of login and one-time links: one template, one style sheet, no scripts.

Everything put into a template is escaped unless it is `Html`. Pure: values in, text out.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit


class Html(str):
    """Text that is HTML already."""


def fill(template: str, **values: object) -> Html:
    """`template` with its {names} replaced; what is not Html is escaped."""
    safe = {name: value if isinstance(value, Html) else html.escape(str(value)) for name, value in values.items()}
    return Html(template.format_map(safe))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One labelled input."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    autocomplete: str = "off"
    hint: str = ""
    shortest: int = 0
    longest: int = 320
    readonly: bool = False
    focus: bool = False


_FIELD = """<div class="field"><label for="{name}">{label}</label>
<input id="{name}" name="{name}" type="{kind}" value="{value}" autocomplete="{autocomplete}" minlength="{shortest}" \
maxlength="{longest}" required{flags}>{hint}</div>"""

_CHECK = """<div class="check"><input id="{name}" name="{name}" type="checkbox" value="yes" checked>
<label for="{name}">{label}<span class="hint">{hint}</span></label></div>"""

_FORM = """<form method="post" action="{action}">{hidden}{fields}<button type="submit">{button}</button></form>"""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} · Touchstone</title>
<link rel="icon" href="data:image/svg+xml;base64,{icon}"><style>{style}</style></head>
<body><main><header><span class="mark" aria-hidden="true"></span><p class="brand">Touchstone</p></header>
<section><h1>{title}</h1>{lead}{notice}{body}</section>
<footer>Where people judge what a chatbot says, and only what they approved is used to teach it.</footer>
</main></body></html>"""

_STREAKS = """<rect width="32" height="32" rx="8" fill="#1f2733" stroke="#4a5567"/>\
<path d="M7 21 25 11" stroke="#e3b448" stroke-width="3.4" stroke-linecap="round"/>\
<path d="M11 25 27 16" stroke="#b98a2e" stroke-width="1.8" stroke-linecap="round" opacity=".8"/>"""

MARK = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 34 34">{_STREAKS}</svg>'
"""The sign of the product: a streak of gold on a dark stone."""

WORDMARK = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 190 34">{_STREAKS}<text x="43" y="23.5" fill="#9a7424" \
font-family="Source Serif, Georgia, serif" font-weight="600" font-size="22">Touchstone</text></svg>"""
"""The sign and the name, legible on light and on dark."""


def _media(pattern: str) -> str:
    """The address of a font that ships with Streamlit, so that these pages look like the app without the network."""
    folder = Path(streamlit.__file__).parent / "static" / "static" / "media"
    found = next(iter(sorted(folder.glob(pattern))), None)
    return f"/static/media/{found.name}" if found else ""


_MARK64 = base64.b64encode(MARK.encode()).decode()
STYLE = (
    f"""@font-face{{font-family:"Source Sans";src:url("{_media("SourceSansVF-Upright*")}") format("woff2");font-weight:200 900}}
@font-face{{font-family:"Source Serif";src:url("{_media("SourceSerifVariable-Roman*")}") format("woff2");font-weight:200 900}}
.mark{{background:url("data:image/svg+xml;base64,{_MARK64}") center/contain}}
"""
    + """
:root{--page:#f6f3ec;--card:#fff;--text:#232a36;--soft:#5b6472;--line:#d9d3c6;--edge:#8a8271;--accent:#7a5a10;--on-accent:#fff;--focus:#b98a2e;
--bad:#9c2b2b;--bad-page:#fbeceb;--good:#1f6a43;--good-page:#e8f4ec}
@media(prefers-color-scheme:dark){:root{--page:#161b24;--card:#1f2733;--text:#eae6dc;--soft:#a9b0bb;--line:#3a4454;--edge:#77839a;--accent:#e3b448;
--on-accent:#1d1a10;--focus:#e3b448;--bad:#ffb4ab;--bad-page:#3b2226;--good:#93d8ae;--good-page:#1c3429}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--page);color:var(--text);
font:16px/1.55 "Source Sans",system-ui,sans-serif}
main{width:min(27rem,100% - 2.5rem);padding:2.5rem 0}
header{display:flex;align-items:center;gap:.7rem;margin-bottom:1.4rem}
.mark{width:2.3rem;height:2.3rem;border-radius:.55rem}
.brand{margin:0;font:600 1.25rem "Source Serif",Georgia,serif;letter-spacing:.01em}
section{background:var(--card);border:1px solid var(--line);border-radius:.9rem;padding:1.9rem;overflow-wrap:anywhere}
h1{margin:0 0 .8rem;font:600 1.6rem/1.25 "Source Serif",Georgia,serif}
p{margin:0 0 1.1rem}.lead{color:var(--soft)}
.field{margin-bottom:1rem}
label{display:block;font-weight:600;margin-bottom:.3rem}
input:not([type=checkbox]){width:100%;padding:.62rem .75rem;font:inherit;color:inherit;background:var(--page);
border:1px solid var(--edge);border-radius:.55rem}
input[readonly]{color:var(--soft)}
.hint{display:block;color:var(--soft);font-size:.88rem;font-weight:400;margin-top:.25rem}
.check{display:flex;gap:.6rem;align-items:flex-start;margin:0 0 1.2rem}
.check input{width:1.1rem;height:1.1rem;margin:.25rem 0 0;accent-color:var(--accent)}
button,.button{display:block;width:100%;padding:.7rem 1rem;font:inherit;font-weight:600;text-align:center;text-decoration:none;
color:var(--on-accent);background:var(--accent);border:1px solid var(--accent);border-radius:.55rem;cursor:pointer}
.button.plain{color:var(--text);background:transparent;border-color:var(--line);margin-top:.8rem}
button:hover,.button:hover{filter:brightness(1.08)}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
a{color:var(--accent)}
.links{margin:1.1rem 0 0;font-size:.94rem}
.notice{padding:.7rem .9rem;border-radius:.55rem;border:1px solid currentColor}
.notice.bad{color:var(--bad);background:var(--bad-page)}.notice.good{color:var(--good);background:var(--good-page)}
footer{margin-top:1.3rem;color:var(--soft);font-size:.88rem;text-align:center}
"""
)
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""What the content security policy allows as the only style sheet of these pages."""


def field(spec: Field) -> Html:
    """One labelled input."""
    hint = fill('<span class="hint">{text}</span>', text=spec.hint) if spec.hint else Html()
    flags = Html((" readonly" if spec.readonly else "") + (" autofocus" if spec.focus else ""))
    return fill(
        _FIELD,
        name=spec.name,
        label=spec.label,
        kind=spec.kind,
        value=spec.value,
        autocomplete=spec.autocomplete,
        shortest=spec.shortest,
        longest=spec.longest,
        flags=flags,
        hint=hint,
    )


def check(name: str, label: str, hint: str) -> Html:
    """A ticked checkbox."""
    return fill(_CHECK, name=name, label=label, hint=hint)


def form(action: str, button: str, fields: Sequence[Html], hidden: dict[str, str]) -> Html:
    """A form that posts to `action`."""
    carried = Html(
        "".join(fill('<input type="hidden" name="{name}" value="{value}">', name=n, value=v) for n, v in hidden.items())
    )
    return fill(_FORM, action=action, button=button, fields=Html("".join(fields)), hidden=carried)


def link(address: str, text: str, style: str = "button") -> Html:
    """A link that looks like a button."""
    return fill('<a class="{style}" href="{address}">{text}</a>', address=address, text=text, style=style)


def page(title: str, *, lead: str = "", body: Html | None = None, bad: str = "", good: str = "") -> str:
    """A whole page. `bad` and `good` are what happened."""
    notice = Html()
    if bad:
        notice = fill('<p class="notice bad" role="alert">{text}</p>', text=bad)
    elif good:
        notice = fill('<p class="notice good" role="status">{text}</p>', text=good)
    return fill(
        _PAGE,
        title=title,
        lead=fill('<p class="lead">{text}</p>', text=lead) if lead else Html(),
        notice=notice,
        body=body or Html(),
        style=Html(STYLE),
        icon=_MARK64,
    )
