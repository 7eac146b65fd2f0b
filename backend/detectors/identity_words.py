"""The word lists behind `identity` and `counterfactuals`. English only, of the project's own writing. Pure data.

`ALWAYS` are words that speak of people wherever they stand. `BEFORE_PEOPLE` speak of people only before a noun for people
("black customers", not a black table) or after "I am", "she is" and the like ("I am blind", not blinds for a window).
`EXACTLY` are regular expressions for what needs more care; their first group is the word itself.
"""

from __future__ import annotations

GENDER, ETHNICITY, RELIGION, AGE = "gender", "ethnicity and nationality", "religion", "age"
DISABILITY, ORIENTATION, FAMILY = "disability", "sexual orientation", "family status"
GROUPS = (GENDER, ETHNICITY, RELIGION, AGE, DISABILITY, ORIENTATION, FAMILY)

PEOPLE = (
    "people|person|persons|man|men|woman|women|guy|girl|girls|boy|boys|lady|ladies|gentleman|gentlemen|male|males|female|females|"
    "kid|kids|child|children|baby|babies|family|families|couple|couples|customer|customers|client|clients|shopper|shoppers|"
    "user|users|guest|guests|passenger|passengers|patient|patients|tenant|tenants|student|students|worker|workers|employee|"
    "employees|colleague|colleagues|neighbour|neighbours|neighbor|neighbors|friend|friends|husband|wife|partner|boyfriend|"
    "girlfriend|mother|father|mum|mom|dad|parent|parents|son|daughter|brother|sister|uncle|aunt|grandmother|grandfather|"
    "grandma|grandpa|citizen|citizens|national|nationals|resident|residents|immigrant|immigrants|refugee|refugees|migrant|"
    "migrants|community|communities|folk|folks|individual|individuals|adult|adults|teenager|teenagers|american|americans|"
    "minority|minorities|relative|relatives|veteran|veterans|driver|drivers|nurse|teacher|cashier|colleague|ancestry|heritage|"
    "descent|origin|minister|pensioner|pensioners|singer|artist|actor|actress|author|player|president|doctor|writer|boss|seller"
)
"""Nouns for people, as one alternation."""

ALWAYS: dict[tuple[str, str], str] = {
    (GENDER, "women"): (
        "she|she's|she'll|she'd|her|hers|herself|woman|women|wife|wives|mother|mothers|mum|mums|mom|moms|mommy|mummy|daughter|"
        "daughters|sister|sisters|aunt|aunts|auntie|grandmother|grandmothers|grandma|granny|niece|nieces|girlfriend|"
        "girlfriends|lady|ladies|girl|girls|bride|widow|widows|businesswoman|saleswoman|stepmother|stepdaughter|godmother|"
        "granddaughter|granddaughters|mrs"
    ),
    (GENDER, "men"): (
        "he|he's|he'll|he'd|him|his|himself|man|men|husband|husbands|father|fathers|dad|dads|daddy|son|sons|brother|brothers|"
        "uncle|uncles|grandfather|grandfathers|grandpa|nephew|nephews|boyfriend|boyfriends|gentleman|gentlemen|boy|boys|"
        "bridegroom|widower|widowers|businessman|salesman|stepfather|stepson|grandson|grandsons|mr"
    ),
    (GENDER, "transgender or non-binary"): (
        "transgender|transgendered|transsexual|transsexuals|non-binary|nonbinary|genderqueer|genderfluid|trans woman|"
        "trans women|trans man|trans men|trans people|trans person"
    ),
    (RELIGION, "Muslim"): "muslim|muslims|islam|islamic|mosque|mosques|imam|hijab|quran|koran",
    (RELIGION, "Christian"): "christian|christians|christianity|catholic|catholics|protestant|protestants",
    (RELIGION, "Jewish"): "jew|jews|jewish|judaism|synagogue|synagogues|rabbi",
    (RELIGION, "Hindu"): "hindu|hindus|hinduism",
    (RELIGION, "Buddhist"): "buddhist|buddhists|buddhism",
    (RELIGION, "Sikh"): "sikh|sikhs|sikhism",
    (RELIGION, "not religious"): "atheist|atheists|atheism|agnostic",
    (ETHNICITY, "Black"): "african american|african americans|african-american|african-americans",
    (ETHNICITY, "Hispanic"): "hispanic|hispanics|latino|latinos|latina|latinas|latinx",
    (ETHNICITY, "indigenous"): "native american|native americans|aboriginal|aboriginals",
    (ETHNICITY, "migrants"): (
        "immigrant|immigrants|refugee|refugees|foreigner|foreigners|asylum seeker|asylum seekers|migrant|migrants|expat|expats"
    ),
    (ETHNICITY, "of colour"): "people of color|people of colour|person of color|person of colour|biracial|mixed-race",
    (AGE, "older"): (
        "elderly|pensioner|pensioners|senior citizen|senior citizens|octogenarian|care home|grandmother|grandfather|grandma|"
        "grandpa|granny|grandparent|grandparents"
    ),
    (AGE, "younger"): "teenager|teenagers|teenage|minors|teen|teens|underage|schoolboy|schoolgirl|toddler|toddlers",
    (DISABILITY, "disability"): (
        "disability|disabilities|wheelchair|wheelchairs|amputee|handicapped|paraplegic|paralysed|paralyzed|guide dog|"
        "mobility scooter|special needs|down syndrome|cerebral palsy"
    ),
    (DISABILITY, "sight"): "blindness|visually impaired|partially sighted|visual impairment|sight loss",
    (DISABILITY, "hearing"): "deafness|hearing impaired|hard of hearing|hearing loss|hearing aid|hearing aids|sign language",
    (DISABILITY, "mind and development"): (
        "autistic|autism|asperger's|dyslexic|dyslexia|adhd|epileptic|epilepsy|dementia|alzheimer's|mental illness|mentally ill|"
        "bipolar disorder|schizophrenia|schizophrenic|ptsd"
    ),
    (ORIENTATION, "gay, lesbian or bisexual"): (
        "gay|gays|lesbian|lesbians|bisexual|bisexuals|homosexual|homosexuals|homosexuality|same-sex|queer|lgbt|lgbtq|lgbtq+|"
        "pansexual|asexual"
    ),
    (ORIENTATION, "straight"): "heterosexual|heterosexuals|opposite-sex",
    (FAMILY, "single or separated"): (
        "single mother|single mothers|single mum|single mums|single mom|single moms|single father|single fathers|single dad|"
        "single dads|single parent|single parents|divorced|divorcee|unmarried|widow|widower|widowed|ex-wife|ex-husband"
    ),
    (FAMILY, "with a partner"): (
        "husband|husbands|wife|wives|spouse|spouses|married|fiancé|fiancée|fiance|fiancee|newlywed|newlyweds"
    ),
    (FAMILY, "pregnant"): "pregnant|pregnancy|maternity leave",
    (FAMILY, "childless"): "childless|infertile|infertility",
}  # fmt: skip
"""(group, value) → words and phrases, in lower case."""

BEFORE_PEOPLE: dict[tuple[str, str], str] = {
    (GENDER, "women"): "female",
    (GENDER, "men"): "male",
    (GENDER, "transgender or non-binary"): "trans",
    (ETHNICITY, "Black"): "black",
    (ETHNICITY, "white"): "white|caucasian",
    (ETHNICITY, "Asian"): "asian",
    (ETHNICITY, "of colour"): "brown",
    (ETHNICITY, "indigenous"): "indigenous",
    (ETHNICITY, "a nationality"): (
        "afghan|african|albanian|algerian|american|arab|arabic|argentinian|armenian|australian|austrian|bangladeshi|belgian|"
        "brazilian|british|bulgarian|cambodian|cameroonian|canadian|caribbean|chilean|chinese|colombian|congolese|croatian|"
        "cuban|czech|danish|dutch|egyptian|english|eritrean|ethiopian|european|filipino|finnish|french|german|ghanaian|greek|"
        "haitian|hungarian|indian|indonesian|iranian|iraqi|irish|israeli|italian|jamaican|japanese|kenyan|korean|kurdish|"
        "lebanese|malaysian|mexican|moroccan|nepalese|nigerian|norwegian|pakistani|palestinian|persian|peruvian|polish|"
        "portuguese|romani|romanian|russian|saudi|scottish|senegalese|serbian|somali|spanish|sudanese|swedish|swiss|syrian|"
        "taiwanese|thai|tunisian|turkish|ugandan|ukrainian|venezuelan|vietnamese|welsh|yemeni|zimbabwean"
    ),
    (AGE, "older"): "old|older|retired",
    (AGE, "younger"): "young|younger",
    (DISABILITY, "disability"): "disabled",
    (DISABILITY, "sight"): "blind",
    (DISABILITY, "hearing"): "deaf",
    (ORIENTATION, "straight"): "straight",
}  # fmt: skip
"""Adjectives that mean people only in company; what they mean elsewhere is colour, origin of goods, or a switch."""

EXACTLY: dict[tuple[str, str], tuple[str, ...]] = {
    (ETHNICITY, "a nationality"): (
        r"\b(afghans|africans|americans|arabs|asians|australians|belgians|brazilians|bulgarians|canadians|croatians|cubans|"
        r"egyptians|ethiopians|europeans|germans|ghanaians|haitians|hungarians|indians|iranians|iraqis|israelis|italians|"
        r"jamaicans|koreans|kurds|mexicans|moroccans|nigerians|norwegians|pakistanis|palestinians|peruvians|romanians|russians|"
        r"saudis|serbians|somalis|syrians|turks|ukrainians|venezuelans)\b",
    ),
    (AGE, "older"): (
        r"\b(?:aged?|(?:i am|i'm|im|he is|he's|she is|she's|who is)(?: now| already| over)?)\s+((?:6[5-9]|[7-9]\d|10\d)\b)"
        r"(?=\s*(?:$|[.,;!?)]|years?\b|and\b|but\b|so\b|now\b))",
        r"\b((?:6[5-9]|[7-9]\d|10\d)[\s-]years?[\s-]old)(?=\s+(?:man|woman|lady|mother|father|mum|mom|dad|gentleman|person|"
        r"grandmother|grandfather|aunt|uncle|customer)\b)",
    ),
    (FAMILY, "parents"): (
        r"\b(?:my|our)\s+(?:(?:\w+\s+){0,2})(kids?|child|children|baby|toddler|son|sons|daughter|daughters|newborn)\b",
        r"\b(?:i am|i'm|we are|we're|as)\s+(?:a\s+|an\s+)?(?:new\s+|young\s+|working\s+)?"
        r"(parents?|mother|mum|mom|father|dad)\b",
    ),
    (FAMILY, "single or separated"): (r"\b(?:i am|i'm|he is|he's|she is|she's)\s+(single)\b",),
}  # fmt: skip
"""What needs more care than a list: plurals of nations, ages that are said of somebody, children of one's own."""

NOT_THESE = (
    r"american express|christian dior|christian louboutin|french (?:windows?|doors?|press|drains?|bed)|german shepherds?|"
    r"(?:male|female) (?:connector|plug|adapter|adaptor|thread|socket|end|header|jack)s?|man(?:-| )made|man hours?|"
    r"mother(?:-| )?boards?|mother['’]s day|father['’]s day|mother of pearl|lady['’]s mantle|hey man|oh man|oh boy|"
    r"deaf ears|tone-deaf|blind (?:spot|trust|taste|test|review|date|faith)s?|pregnant pause|asian (?:paints?|fusion)|"
    r"(?:sister|parent) (?:compan(?:y|ies)|stores?|brands?|sites?)|old (?:customer|client|user|tenant|resident)s?|"
    r"baby (?:blue|pink|shower)|his and hers|mr clean|mr muscle|mr coffee|iron man|the godfather|gay apparel|"
    r"(?:[1-9]|[1-5]\d|6[0-4])[\s-]years?[\s-]old"
)
"""Phrases in which such a word says nothing of people; whatever lies in one is not counted."""
