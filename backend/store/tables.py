"""Imports every table module, so that `Table.metadata` is whole. Import this where the whole schema is needed."""

from backend.store import accounts, conversations, curation, machines, models, privacy, records, work
from backend.store.base import Table

metadata = Table.metadata

__all__ = ["accounts", "conversations", "curation", "machines", "metadata", "models", "privacy", "records", "work"]
