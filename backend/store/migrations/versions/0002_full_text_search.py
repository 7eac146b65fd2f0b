"""full text search: all turns of each record's newest revision, indexed by the database itself

Written by hand. Triggers follow what is added to `recordrevision`, so that no writer has to remember the index. SQLite
keeps a table of FTS5, PostgreSQL a tsvector with a GIN index; both fold case and accents, and both keep the text, for
searches inside of words. On PostgreSQL what follows a record's first 200,000 characters is not indexed: a tsvector has an
upper limit, and a long record must not be refused for it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    """
    CREATE VIRTUAL TABLE recordtext USING fts5(body, tokenize = "unicode61 remove_diacritics 2")
    """,
    """
    CREATE TRIGGER recordtext_follows AFTER INSERT ON recordrevision
    WHEN NOT EXISTS (SELECT 1 FROM recordrevision WHERE record_id = new.record_id AND number > new.number)
    BEGIN
        DELETE FROM recordtext WHERE rowid = new.record_id;
        INSERT INTO recordtext (rowid, body)
        SELECT new.record_id, coalesce(group_concat(json_extract(value, '$.content'), char(10)), '')
        FROM json_each(new.messages);
    END
    """,
    """
    CREATE TRIGGER recordtext_forgets AFTER DELETE ON record
    BEGIN
        DELETE FROM recordtext WHERE rowid = old.id;
    END
    """,
    """
    INSERT INTO recordtext (rowid, body)
    SELECT revision.record_id, coalesce(group_concat(json_extract(turn.value, '$.content'), char(10)), '')
    FROM recordrevision AS revision
    JOIN record ON record.id = revision.record_id AND record.head = revision.number
    LEFT JOIN json_each(revision.messages) AS turn
    GROUP BY revision.record_id
    """,
)

POSTGRESQL = (
    # Words as the SQLite index knows them: small letters, no accents, nothing between them but spaces.
    r"""
    CREATE FUNCTION recordtext_plain(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT regexp_replace(
            regexp_replace(normalize(lower(left(given, 200000)), NFD), '[\u0300-\u036f]+', '', 'g'),
            '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf'
            || '\u2000-\u206f\u3000-\u303f\uff01-\uff0f]+',
            ' ', 'g')
    $$
    """,
    # The texts lie beside the table, so that finding many records reads few pages.
    """
    CREATE TABLE recordtext (
        record_id integer PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
        body text NOT NULL,
        words tsvector NOT NULL
    ) WITH (toast_tuple_target = 128)
    """,
    """
    CREATE FUNCTION recordtext_follow() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        whole text;
    BEGIN
        IF EXISTS (SELECT 1 FROM recordrevision WHERE record_id = new.record_id AND number > new.number) THEN
            RETURN NULL;
        END IF;
        SELECT coalesce(string_agg(turn ->> 'content', E'\\n' ORDER BY place), '') INTO whole
        FROM jsonb_array_elements(new.messages) WITH ORDINALITY AS turns (turn, place);
        INSERT INTO recordtext (record_id, body, words)
        VALUES (new.record_id, whole, to_tsvector('simple', recordtext_plain(whole)))
        ON CONFLICT (record_id) DO UPDATE SET body = excluded.body, words = excluded.words;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER recordtext_follows AFTER INSERT ON recordrevision
    FOR EACH ROW EXECUTE FUNCTION recordtext_follow()
    """,
    """
    INSERT INTO recordtext (record_id, body, words)
    SELECT record_id, whole, to_tsvector('simple', recordtext_plain(whole))
    FROM (
        SELECT revision.record_id, coalesce(
            (SELECT string_agg(turn ->> 'content', E'\\n' ORDER BY place)
             FROM jsonb_array_elements(revision.messages) WITH ORDINALITY AS turns (turn, place)), '') AS whole
        FROM recordrevision AS revision
        JOIN record ON record.id = revision.record_id AND record.head = revision.number
    ) AS texts
    """,
    "CREATE INDEX ix_recordtext_words ON recordtext USING gin (words)",
)


def upgrade() -> None:
    connection = op.get_bind()
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        statements = ["DROP TRIGGER recordtext_follows", "DROP TRIGGER recordtext_forgets", "DROP TABLE recordtext"]
    else:
        statements = [
            "DROP TRIGGER recordtext_follows ON recordrevision",
            "DROP FUNCTION recordtext_follow()",
            "DROP TABLE recordtext",
            "DROP FUNCTION recordtext_plain(text)",
        ]
    for statement in statements:
        connection.exec_driver_sql(statement)
