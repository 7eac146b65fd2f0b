"""The words of the domain and their statuses, as they are stored. Values never change once released."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What an account does in a project. An admin is above all projects and is a flag of the account, not a role."""

    RATER = "rater"
    EXPERT = "expert"
    LEAD = "lead"


class Action(StrEnum):
    """What a person may ask for. `backend.access.policy` says who may."""

    MANAGE_ACCOUNTS = "manage_accounts"
    CREATE_PROJECT = "create_project"
    MANAGE_MEMBERS = "manage_members"
    OPEN_VAULT = "open_vault"
    EDIT_SETTINGS = "edit_settings"
    VIEW_PROJECT = "view_project"
    VIEW_DASHBOARD = "view_dashboard"
    VIEW_AUDIT = "view_audit"
    IMPORT = "import"
    EXPORT = "export"
    VIEW_RECORDS = "view_records"
    REVIEW = "review"
    BULK_REVIEW = "bulk_review"
    EDIT_FAQ = "edit_faq"
    APPROVE_FAQ = "approve_faq"
    CREATE_TASK = "create_task"
    ADJUDICATE = "adjudicate"
    RATE = "rate"
    VIEW_RESULTS = "view_results"
    SNAPSHOT = "snapshot"
    TRAIN = "train"
    EVALUATE = "evaluate"
    PROMOTE = "promote"
    CHAT = "chat"
    SEND_FEEDBACK = "send_feedback"


class LinkPurpose(StrEnum):
    """What a one-time link lets its bearer do."""

    SETUP = "setup"
    INVITE = "invite"
    RESET = "reset"


class RecordStatus(StrEnum):
    """Where a record's newest revision stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    FLAGGED = "flagged"


class Decision(StrEnum):
    """An expert's ruling on a revision."""

    APPROVED = "approved"
    REJECTED = "rejected"


class FindingKind(StrEnum):
    """What a check found in a record."""

    ENCODING = "encoding"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    NAME = "name"
    ADDRESS = "address"
    IDENTITY = "identity"
    ACCOUNT = "account"
    BIRTH_DATE = "birth_date"
    REFERENCE = "reference"
    IP_ADDRESS = "ip_address"
    PLACE = "place"
    ORGANISATION = "organisation"
    OCCUPATION = "occupation"
    NATIONALITY = "nationality"
    WEB_ADDRESS = "web_address"
    DATE = "date"
    AGE = "age"
    POSTCODE = "postcode"
    MARKUP = "markup"
    PLACEHOLDER = "placeholder"
    BOILERPLATE = "boilerplate"
    TRUNCATED = "truncated"
    ECHO = "echo"
    LANGUAGE = "language"
    SPELLING = "spelling"
    ABUSE = "abuse"
    LENGTH = "length"
    READABILITY = "readability"
    UNANSWERED = "unanswered"
    UNSUPPORTED = "unsupported"
    VOICE = "voice"
    CONTRADICTION = "contradiction"
    POOR_ANSWER = "poor_answer"


PERSONAL_FINDINGS = frozenset(
    {
        FindingKind.EMAIL, FindingKind.PHONE, FindingKind.CARD, FindingKind.NAME, FindingKind.ADDRESS, FindingKind.IDENTITY,
        FindingKind.ACCOUNT, FindingKind.BIRTH_DATE, FindingKind.REFERENCE, FindingKind.IP_ADDRESS, FindingKind.PLACE,
        FindingKind.ORGANISATION, FindingKind.OCCUPATION, FindingKind.NATIONALITY, FindingKind.WEB_ADDRESS, FindingKind.DATE,
        FindingKind.AGE, FindingKind.POSTCODE,
    }
)  # fmt: skip
"""Findings that keep a record out of snapshots while they are open. A project chooses which of them are looked for."""


class Check(StrEnum):
    """A family of checks that `clean` runs. Those of one record come first; the last three look at the whole project."""

    TEXT = "text"
    LANGUAGE = "language"
    SPELLING = "spelling"
    PERSONAL = "personal"
    ABUSE = "abuse"
    VOICE = "voice"
    QUALITY = "quality"
    SUPPORT = "support"
    SENTIMENT = "sentiment"
    DUPLICATES = "duplicates"
    CONTRADICTIONS = "contradictions"
    TOPICS = "topics"


PROJECT_CHECKS = (Check.DUPLICATES, Check.CONTRADICTIONS, Check.TOPICS)
"""Checks that look at a project's records together; the others look at one record at a time."""
DETECTED = "detected · "
"""What the name of a slice begins with that a check gave, as in "detected · topic". Such slices are worked out anew at will;
they are neither exported nor taken from files."""


class Replacement(StrEnum):
    """What stands in place of personal data: a mask such as [NAME], or a stand-in that reads like the real thing."""

    MASK = "mask"
    SURROGATE = "surrogate"


class FindingStatus(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    FIXED = "fixed"
    DISMISSED = "dismissed"


class FaqState(StrEnum):
    """Where an FAQ revision stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


class TaskKind(StrEnum):
    """What a task asks of people."""

    LABEL = "label"
    RATE = "rate"
    COMPARE = "compare"
    RANK = "rank"


class TaskStatus(StrEnum):
    """Whether a task hands out items."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class ItemStatus(StrEnum):
    """Whether an item still needs people. A disputed one has all its answers, and waits for a ruling on them."""

    OPEN = "open"
    DONE = "done"
    DISPUTED = "disputed"
    RULED = "ruled"


FINISHED_ITEMS = frozenset({ItemStatus.DONE, ItemStatus.DISPUTED, ItemStatus.RULED})
"""Items that need no more raters."""


class ItemPurpose(StrEnum):
    """Why an item is asked. Only the answers to `work` count in results; the others tell how far a rater can be relied on."""

    WORK = "work"
    CALIBRATION = "calibration"
    GOLD = "gold"
    REPEAT = "repeat"


class ItemOrder(StrEnum):
    """What decides which open item comes first."""

    GIVEN = "given"
    DISAGREEMENT = "disagreement"
    UNCERTAINTY = "uncertainty"
    THIN_SLICES = "thin_slices"


class QuestionType(StrEnum):
    """How a rubric's question is answered."""

    SCALE = "scale"
    YES_NO = "yes_no"
    SINGLE = "single"
    MULTIPLE = "multiple"
    TEXT = "text"
    SPANS = "spans"


class Verdict(StrEnum):
    """A rater's answer to a blind comparison, by side; `winner` columns hold it by version."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BOTH_BAD = "both_bad"


class Split(StrEnum):
    """A snapshot's parts."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class SnapshotKind(StrEnum):
    """What a snapshot's rows hold, and so what can be learned from it."""

    SFT = "sft"
    PREFERENCES = "preferences"
    THUMBS = "thumbs"
    LABELS = "labels"


class JobKind(StrEnum):
    """What a job runs."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    SEARCH = "search"
    PLAN = "plan"
    EXPORT = "export"


class JobStatus(StrEnum):
    """A job's state; `lost` means that its process vanished and its end is unknown."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    PAUSED = "paused"


FINISHED_JOBS = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.LOST, JobStatus.PAUSED})
"""Jobs to which nothing more happens by itself; a paused one goes on when somebody says so."""


class Stage(StrEnum):
    """A model version's place in its project."""

    CANDIDATE = "candidate"
    CURRENT = "current"
    RETIRED = "retired"


class PromotionKind(StrEnum):
    """How a version became current, or did not."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"


class MadeBy(StrEnum):
    """How a synthetic record was made from another one; people's own records have none of these."""

    PEOPLE = ""
    REPHRASED = "rephrased"
    TYPOS = "typos"
    LOWER_CASE = "lower_case"
    JOINED = "joined"
    MODEL = "model"
    COUNTERFACTUAL = "counterfactual"


class MitigationKind(StrEnum):
    """What is done about an imbalance in the data."""

    REWEIGHING = "reweighing"
    RESAMPLING = "resampling"
    COUNTERFACTUALS = "counterfactuals"


class SourcePurpose(StrEnum):
    """What an import is for: the project's own subject, or general talk that is mixed in by a stated share."""

    OWN = "own"
    GENERAL = "general"


class Thumb(StrEnum):
    """A verdict on a chat turn."""

    UP = "up"
    DOWN = "down"
