"""Alembic's folder: the steps from one layout of the database to the next. A released step never changes."""
