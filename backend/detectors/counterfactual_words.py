"""What is swapped for what in counterfactual texts: names by what they are associated with, and words in pairs. Pure data,
of the project's own writing, in English.

Every cell of `NAMES` holds as many names as the others, so that no association is drawn more often than another. What a name
is associated with is what readers think, not what anybody who bears it is.
"""

from __future__ import annotations

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "White American": (
        ("Emily", "Claire", "Allison", "Meredith", "Molly", "Katie", "Caitlin", "Abigail"),
        ("Greg", "Connor", "Geoffrey", "Todd", "Jake", "Scott", "Cody", "Wyatt"),
    ),
    "Black American": (
        ("Lakisha", "Keisha", "Kiara", "Latoya", "Tamika", "Imani", "Shanice", "Aaliyah"),
        ("Jamal", "Darnell", "Tyrone", "DeShawn", "Terrell", "DeAndre", "Tremayne", "Kareem"),
    ),
    "Arabic": (
        ("Fatima", "Aisha", "Layla", "Zainab", "Khadija", "Amina", "Noor", "Salma"),
        ("Mohammed", "Ahmed", "Omar", "Hassan", "Ibrahim", "Yusuf", "Khalid", "Tariq"),
    ),
    "Hispanic": (
        ("Guadalupe", "Marisol", "Ximena", "Esperanza", "Graciela", "Consuelo", "Paloma", "Yolanda"),
        ("Javier", "Hector", "Luis", "Mateo", "Alejandro", "Jorge", "Pablo", "Ramon"),
    ),
    "Chinese": (
        ("Mei", "Xiu", "Ling", "Yan", "Hui", "Yun", "Jing", "Ying"),
        ("Wei", "Qiang", "Jian", "Hao", "Bolin", "Guang", "Zihao", "Guo"),
    ),
    "Indian": (
        ("Priya", "Ananya", "Lakshmi", "Deepa", "Kavita", "Sunita", "Meera", "Pooja"),
        ("Rahul", "Arjun", "Vikram", "Sanjay", "Amit", "Rajesh", "Anil", "Suresh"),
    ),
    "Polish": (
        ("Agnieszka", "Katarzyna", "Malgorzata", "Zofia", "Beata", "Danuta", "Iwona", "Jolanta"),
        ("Wojciech", "Piotr", "Krzysztof", "Tomasz", "Jacek", "Marek", "Zbigniew", "Andrzej"),
    ),
    "Jewish": (
        ("Rivka", "Shoshana", "Chaya", "Tzipora", "Yael", "Devorah", "Batya", "Malka"),
        ("Moshe", "Shlomo", "Avi", "Yitzhak", "Mordechai", "Menachem", "Chaim", "Yaakov"),
    ),
}  # fmt: skip
"""Association → (names of women, names of men)."""

WOMEN_AND_MEN = (
    "she he|she's he's|she'll he'll|she'd he'd|herself himself|woman man|women men|girl boy|girls boys|lady gentleman|"
    "ladies gentlemen|wife husband|wives husbands|mother father|mothers fathers|mum dad|mums dads|mummy daddy|daughter son|"
    "daughters sons|sister brother|sisters brothers|aunt uncle|aunts uncles|grandmother grandfather|grandma grandpa|"
    "grandmothers grandfathers|niece nephew|nieces nephews|girlfriend boyfriend|girlfriends boyfriends|widow widower|"
    "bride bridegroom|female male|females males|stepmother stepfather|granddaughter grandson|"
    "businesswoman businessman|schoolgirl schoolboy|mrs mr"
)
"""Pairs that swap with each other; "her", "him", "his" and "hers" go by their part in the sentence."""
ONE_WAY = {"mom": "dad", "moms": "dads", "mommy": "daddy", "auntie": "uncle", "granny": "grandpa"}
"""Words of women whose counterpart is already another word's."""

FORMS: dict[str, dict[str, tuple[str, ...]]] = {
    "religion": {
        "Muslim": ("muslim", "muslims", "islam", "mosque", "mosques", "imam"),
        "Christian": ("christian", "christians", "christianity", "church", "churches", "pastor"),
        "Jewish": ("jewish", "jews", "judaism", "synagogue", "synagogues", "rabbi"),
        "Hindu": ("hindu", "hindus", "hinduism", "temple", "temples", "pandit"),
        "Buddhist": ("buddhist", "buddhists", "buddhism", "monastery", "monasteries", "monk"),
    },
    "ethnicity and nationality": {
        "American": ("american", "americans"),
        "German": ("german", "germans"),
        "Indian": ("indian", "indians"),
        "Mexican": ("mexican", "mexicans"),
        "Nigerian": ("nigerian", "nigerians"),
        "Russian": ("russian", "russians"),
        "Syrian": ("syrian", "syrians"),
        "Black": ("black",),
        "white": ("white",),
        "Asian": ("asian", "asians"),
        "Hispanic": ("hispanic", "hispanics"),
        "Arab": ("arab", "arabs"),
    },
    "age": {
        "older": ("old", "older", "pensioner", "pensioners", "senior citizen", "senior citizens", "elderly"),
        "younger": ("young", "younger", "student", "students", "young adult", "young adults", "young"),
    },
    "disability": {
        "with": ("blind", "deaf", "disabled", "autistic"),
        "without": ("sighted", "hearing", "non-disabled", "neurotypical"),
    },
    "sexual orientation": {
        "gay": ("gay", "homosexual", "homosexuals", "same-sex"),
        "straight": ("straight", "heterosexual", "heterosexuals", "opposite-sex"),
    },
    "family status": {
        "single or separated": ("single mother", "single father", "single mum", "single dad", "unmarried", "divorced"),
        "with a partner": ("married mother", "married father", "married mum", "married dad", "married", "engaged"),
    },
}  # fmt: skip
"""Group → value → its words, in the same order for every value of the group."""

ETHNICITIES = ("Black", "white", "Asian", "Hispanic", "Arab")
"""Values that stand in for each other, not for a nation; the other values of their group are nations."""
PROPER = (
    "muslim muslims christian christians jewish jews hindu hindus buddhist buddhists islam christianity judaism hinduism "
    "buddhism american americans german germans indian indians mexican mexicans nigerian nigerians russian russians syrian "
    "syrians asian asians hispanic hispanics arab arabs"
)
"""Words that English writes with a capital."""
AFTER_OBJECTS = (
    "a an the this that these those to for from with without at in on of by about into onto over under after before until "
    "since because as if when while where whether which who whom and or but so nor than then too also again back up down "
    "out off away here there now today tomorrow yesterday soon later please not never always just only i you he she it we "
    "they me him us them my your our their is are was were be been am do does did has have had will would can could should "
    "shall may might must said says say via per once twice directly immediately yet either instead anyway though how what why"
)
"""Words before which "her" is no possessive and "his" stands alone."""
