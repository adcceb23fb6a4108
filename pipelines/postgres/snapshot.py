"""One moment of the database for a whole run.

Tables are read one after the other. Without a common moment an order could be read before its lines
exist, and a line after its order has gone. Postgres lends the snapshot of one transaction to
others: a first connection holds it, and every reading connection takes it over.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .errors import PostgresError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

__all__ = ["Snapshot", "connect"]

logger = logging.getLogger(__name__)

# Transactions of other users show only to members of pg_read_all_stats; their start is NULL here.
_HORIZON = """
SELECT least(now(), min(xact_start)) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""

# How values are written, whatever the database, the role or the server prefers; `copying` reads it.
_WRITTEN = (
    *("client_encoding = 'UTF8'", "TimeZone = 'UTC'", "DateStyle = 'ISO'"),
    *("bytea_output = 'hex'", "extra_float_digits = 1"),
)


def connect(address: str) -> Engine:
    """Return an engine for a Postgres address such as `postgresql://user:password@host/database`.

    Raises:
        PostgresError: It is no such address.
    """
    try:
        url = sa.make_url(address)
    except SQLAlchemyError:
        url = None
    if url is None or url.get_backend_name() not in {"postgres", "postgresql"}:
        message = (
            "sources.postgres.credentials: write an address such as "
            "postgresql://user:password@host:5432/database"
        )
        raise PostgresError(message)
    # Which driver a bare address means depends on SQLAlchemy's version.
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"))
    sa.event.listen(engine, "begin", _settle)
    return engine


class Snapshot:
    """The moment that everything of one run is read at.

    It begins with `open` and ends when the last expected reader has left, or with `close`. No
    change that comes later is older than `horizon`: the start of the oldest open transaction.
    """

    def __init__(self, engine: Engine) -> None:
        self._holder: Connection | None = None
        self._source = engine
        self._id: str | None = None
        self.engine = sa.create_engine(engine.url)
        sa.event.listen(self.engine, "begin", self._enter)
        self.horizon = datetime.now(UTC)
        self._readers = 0

    def expect_reader(self) -> None:
        """Stay until one more reader has left."""
        self._readers += 1

    def leave(self) -> None:
        """Tell that a reader is done."""
        self._readers -= 1
        if self._readers == 0:
            self.close()

    def open(self) -> None:
        """Take the moment, unless it is taken.

        Raises:
            PostgresError: The database does not answer; the message has no password in it.
        """
        if self._holder is not None:
            return
        try:
            self._holder = self._source.connect().execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self.horizon = self._holder.scalar(sa.text(_HORIZON)) or self.horizon
        except DBAPIError as error:
            raise PostgresError(_refused(self._source, error)) from None
        try:
            self._id = self._holder.scalar(sa.text("SELECT pg_export_snapshot()"))
        except DBAPIError:
            logger.warning("This server lends no snapshots: tables are read one after the other")

    def close(self) -> None:
        """Let the moment go."""
        if self._holder is not None:
            self._holder.close()
        self._holder = None
        self.engine.dispose()
        self._source.dispose()

    def _enter(self, connection: Connection) -> None:
        # On the driver's own connection: SQLAlchemy would make a server-side cursor of it.
        driver: Any = connection.connection.driver_connection
        driver.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _settle(connection)
        if self._id:
            driver.execute(f"SET TRANSACTION SNAPSHOT '{self._id}'")


def _settle(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    for setting in _WRITTEN:
        driver.execute(f"SET LOCAL {setting}")


def _refused(engine: Engine, error: DBAPIError) -> str:
    """Say why without the address, which holds the password, and without the driver's text."""
    place = f"{engine.url.host or 'the local socket'}, database `{engine.url.database}`"
    cause: Any = getattr(error.orig, "sqlstate", None) or type(error.orig).__name__
    return (
        f"no connection to Postgres at {place} as `{engine.url.username}` ({cause}): check "
        "sources.postgres.credentials, and that the server lets this machine in"
    )
