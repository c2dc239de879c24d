from django.db import migrations


class Migration(migrations.Migration):
    """People are found by e-mail address, and by username whatever its case: Django's own table has no index for either."""

    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX accounts_user_username_upper ON auth_user (UPPER(username))",
            "DROP INDEX accounts_user_username_upper",
        ),
        migrations.RunSQL(
            "CREATE INDEX accounts_user_email ON auth_user (email)",
            "DROP INDEX accounts_user_email",
        ),
    ]
