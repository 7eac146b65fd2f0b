"""Clusters are counted by an index: the page of repeats looked through every record."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_record_project_cluster", "record", ["project_id", "cluster"])


def downgrade() -> None:
    op.drop_index("ix_record_project_cluster", table_name="record")
