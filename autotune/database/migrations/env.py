"""Alembic runs this for every command: it joins the transaction that `autotune.database.migrate` has begun."""

from alembic import context
from sqlalchemy import Connection

from autotune.database.revision import VERSION_TABLE

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
