"""What no code can talk the audit log into: a change, a deletion."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION jobs_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only'
        USING ERRCODE = 'integrity_constraint_violation', TABLE = TG_TABLE_NAME;
END $$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON jobs_auditentry
    FOR EACH ROW EXECUTE FUNCTION jobs_audit_is_append_only();
"""

UNDO = """
DROP TRIGGER audit_append_only ON jobs_auditentry;
DROP FUNCTION jobs_audit_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0004_console")]

    operations = [migrations.RunSQL(APPEND_ONLY, UNDO)]
