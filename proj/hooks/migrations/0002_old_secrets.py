import django.contrib.postgres.fields
from django.db import migrations, models

KEEP = "UPDATE hooks_endpoint SET old_secrets = ARRAY[old_secret] WHERE old_secret <> ''"
UNDO = "UPDATE hooks_endpoint SET old_secret = old_secrets[1] WHERE old_secrets <> '{}'"


class Migration(migrations.Migration):
    dependencies = [("hooks", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="old_secrets",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                default=list,
                editable=False,
                help_text="Encrypted; they sign too until they end.",
                size=None,
            ),
        ),
        migrations.RunSQL(KEEP, UNDO),
        migrations.RemoveField(model_name="endpoint", name="old_secret"),
    ]
