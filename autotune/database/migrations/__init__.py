"""Alembic's folder: the steps from one layout of the database to the next.

A released step never changes. A new one is a file in `versions`, its revision at the end of
`autotune.database.revision.REVISIONS`, and a dump of a database of the new layout in `tests/database/layouts`.
"""
