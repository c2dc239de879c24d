"""PostgreSQL and Redis for a machine that has neither, and the processes of the whole system.

Development, the demo and the tests use it; a deployment sets ``DATABASE_URL`` and ``CELERY_BROKER_URL`` instead.
Everything that starts servers is importable before Django's settings exist, because it fills the environment
that the settings are read from.
"""
