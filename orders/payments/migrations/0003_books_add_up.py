"""What no code can talk the books into: an entry that does not sum to zero, a change, a deletion."""

from django.db import migrations

ADD_UP = """
CREATE FUNCTION payments_entry_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint := CASE TG_TABLE_NAME WHEN 'payments_posting' THEN (to_jsonb(NEW) ->> 'entry_id')::bigint ELSE NEW.id END;
    sides bigint;
    unbalanced text;
BEGIN
    SELECT count(*) INTO sides FROM payments_posting WHERE entry_id = checked;
    SELECT string_agg(currency, ', ') INTO unbalanced FROM (
        SELECT currency FROM payments_posting WHERE entry_id = checked GROUP BY currency HAVING sum(amount) <> 0
    ) AS off;
    IF sides < 2 OR unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'journal entry % does not add up to zero', checked
            USING ERRCODE = 'integrity_constraint_violation', DETAIL = coalesce(unbalanced, 'fewer than two postings');
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER journal_entry_adds_up AFTER INSERT ON payments_journalentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_entry_adds_up();
CREATE CONSTRAINT TRIGGER posting_adds_up AFTER INSERT ON payments_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_entry_adds_up();
"""

APPEND_ONLY = """
CREATE FUNCTION payments_books_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the books are append-only: correct an entry with another one'
        USING ERRCODE = 'integrity_constraint_violation', TABLE = TG_TABLE_NAME;
END $$;

CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON payments_journalentry
    FOR EACH ROW EXECUTE FUNCTION payments_books_are_append_only();
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON payments_posting
    FOR EACH ROW EXECUTE FUNCTION payments_books_are_append_only();
"""

UNDO = """
DROP TRIGGER journal_append_only ON payments_journalentry;
DROP TRIGGER posting_append_only ON payments_posting;
DROP TRIGGER journal_entry_adds_up ON payments_journalentry;
DROP TRIGGER posting_adds_up ON payments_posting;
DROP FUNCTION payments_books_are_append_only();
DROP FUNCTION payments_entry_adds_up();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_refunds_events_books")]

    operations = [
        migrations.RunSQL(ADD_UP + APPEND_ONLY, UNDO),
        # Captures from before the books were kept are booked when they are first reconciled.
    ]
