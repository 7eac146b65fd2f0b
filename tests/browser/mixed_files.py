"""A folder as shops have it: a mailbox, a manual, a table and a chat export, with people's data, repeats and left-overs."""

from __future__ import annotations

from tests.backend.intake.example_files import archive, letter, lines, mailbox, portable, workbook

SHOP = "Harbour Lights <help@harbourlights.example>"
_SIGNED = "\n\nBest regards,\nMarcus Bellweather\nHarbour Lights support\nhelp@harbourlights.example\n"
_LETTERS = [
    letter(1, sender="Priscilla Hartmann <priscilla.hartmann@mailbox.example>", subject="Broken lantern",
           text="Hello, my name is Priscilla Hartmann. The glass of my lantern broke on the way. "
                "Please call me at (404) 555-0142.\n\nKind regards,\nPriscilla Hartmann"),
    letter(2, sender=SHOP, subject="Re: Broken lantern", after=1,
           text="Dear Priscilla Hartmann, we are sorry. We send you a new glass for the lantern today, free of charge."
                + _SIGNED + "\n> Hello, my name is Priscilla Hartmann. The glass of my lantern broke on the way.\n"),
    letter(3, sender="Desmond Okafor <desmond.okafor@mailbox.example>", subject="Invoice",
           text="Hi, please send the invoice for my floor lamp to desmond.okafor@mailbox.example. Thanks, Desmond Okafor"),
    letter(4, sender=SHOP, subject="Re: Invoice", after=3,
           text="We have sent the invoice for your floor lamp to the address that you gave us." + _SIGNED
                + "\nOn Mon, 5 Jan 2026 Desmond Okafor wrote:\n> please send the invoice for my floor lamp\n"),
]  # fmt: skip
_MANUAL = [
    ["Care manual", "", "Returns", "Unused lamps can be sent back within 60 days of delivery. The label is in the box.", "",
     "Cleaning", "Wipe brass with a dry cloth. Water leaves spots on brass, and polish takes the finish away."],
]  # fmt: skip
_PAIRS = [
    ["prompt", "response", "channel"],
    ["How many days do I have to send a lamp back?", "Unused lamps can be sent back within 60 days of delivery.", "web"],
    ["How do I clean a brass lamp?", "Wipe brass with a dry cloth. Water leaves spots on brass.", "web"],
    ["Which bulbs fit the reading lamp?", "The reading lamp takes bulbs with a small socket.<br>", "web"],
    ["Is the garden lantern waterproof?", "The garden lantern can stand in rain, but not in a pond.", "web"],
    ["Do you gift-wrap a night light?", "Yes, we gift-wrap night lights for three dollars each.", "web"],
]
_CARD = "4111 1111 1111 1111"
_CHATS = [
    ("Where is my parcel with the wall lamp?", "It left our store this morning and arrives within two days.", "Ottilie Brandt"),
    ("where is my parcel with the wall lamp?", "It left our store this morning and arrives within two days.", "Ottilie Brandt"),
    ("Where is my parcel with the wall lamp?", "It left our store this morning and arrives within two days.", "Leon Farrow"),
    (f"I want to pay for the chandelier with card {_CARD}.", "Please never write card numbers here. Pay at the checkout.",
     "Leon Farrow"),
    ("My name is Ottilie Brandt and my phone is +1 404 555 0199. Can you move the delivery of my lamp to Friday?",
     "Yes, your lamp is delivered on Friday between nine and noon.", "Ottilie Brandt"),
    ("Can a dimmer switch be used with the pendant lamp?", "Yes, the pendant lamp works with every common dimmer switch.",
     "Leon Farrow"),
]  # fmt: skip

SECRETS = (
    "Priscilla", "Hartmann", "Desmond", "Okafor", "Ottilie", "Brandt", "Marcus", "Bellweather", "Farrow", "mailbox.example",
    "harbourlights.example", "555-0142", "555 0199", "4111", "Best regards", "wrote:", "<br>",
)  # fmt: skip
"""What must not be left of the folder: people, their addresses and numbers, signatures, quotes and codes of a web page."""
FROM_EACH = {
    "mail": "a new glass for the lantern", "table": "bulbs with a small socket", "chats": "every common dimmer switch",
}  # fmt: skip
"""Words of an answer that each file of records brings."""
PARCEL = "parcel with the wall lamp"
"""What the chat export asks three times."""


def folder() -> bytes:
    """All of it as a ZIP."""
    chats = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}],
         "channel": "chat", "customer": who, "e_mail": f"{who.replace(' ', '.').lower()}@mailbox.example"}
        for asked, said, who in _CHATS
    ]  # fmt: skip
    return archive(
        {
            "shop/box.mbox": mailbox(_LETTERS), "shop/manual.pdf": portable(_MANUAL),
            "shop/table.xlsx": workbook({"Answers": _PAIRS}), "shop/chats.jsonl": lines(*chats),
        }
    )  # fmt: skip
