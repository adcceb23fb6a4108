"""Which session belongs to a client or a pipeline, and when it begins and ends.

A process has one session per ledger. The destination's client begins it before it opens the
database and stores when the database is closed after a delivery; in between, the claim stays.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.schema import Schema
from dlt.common.storages import LoadStorage, NormalizeStorage

from replenit_destination.exceptions import SettingsError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dlt import Pipeline

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.destinations.state import StateSession

__all__ = [
    "begin",
    "describe",
    "drop",
    "fetch",
    "replace_all_copies",
    "session_of",
    "settle_all",
    "state",
    "store",
    "unlock",
]

_sessions: dict[Path, StateSession] = {}


def session_of(client: ReplenitClient) -> StateSession | None:
    """Return the session of a client, begun or not; None without `state_url`.

    Raises:
        SettingsError: A setting that the state needs is missing or cannot be used.
    """
    config = client.config
    if not config.state_url:
        return None
    ledger = config.ledger_path.absolute()
    found = _sessions.get(ledger)
    if found is None or (found.remote.url != config.state_url and found.claim is None):
        found = _sessions[ledger] = _made(client, ledger)
    return found


@contextmanager
def state(
    pipeline: Pipeline | str | None = None,
    *,
    pipelines_dir: str | Path | None = None,
    step: Callable[[str], None] | None = None,
) -> Iterator[StateSession | None]:
    """Fetch a pipeline's state, and store it once when the block ends, also when it raises.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.
        step: Told of every step of fetching and storing.

    Yields:
        The session, or None where `state_url` is not set.

    Raises:
        StateBusyError: Another runner works with it; nothing was sent.
        StateConflictError: This machine and another one both went on.
        StateError: It cannot be fetched or stored.
    """
    from replenit_destination.destinations.setup import client_of, find_pipeline

    found = find_pipeline(pipeline, pipelines_dir)
    client = client_of(found)
    session = session_of(client)
    if session is None:
        yield None
        return
    if step:
        session.step = step
    begin(client, found)
    session.pinned = True
    try:
        yield session
    except KeyboardInterrupt:
        session.pinned = False  # a second Ctrl-C leaves at once; the claim goes with the program
        raise
    except BaseException as error:
        session.pinned = False
        try:
            session.settle()
        except Exception as failed:
            error.add_note(str(failed))
        raise
    session.pinned = False
    session.settle()


def begin(client: ReplenitClient, pipeline: Pipeline | None) -> None:
    """Fetch a client's state, where that is not done yet, before its database is opened.

    Raises:
        StateError: It cannot be fetched, or another runner works with it.
    """
    session = session_of(client)
    if session is None:
        return
    session.begin()
    if session.fetched_packages and pipeline is not None:
        _know_packages(pipeline)


def _know_packages(pipeline: Pipeline) -> None:
    """Let a pipeline that has not run here complete the load packages that were fetched.

    dlt takes its state from the staging database, where nothing of it stands as long as no load
    was ever completed; without a schema it would take the packages for nobody's.
    """
    load = LoadStorage(True, [], pipeline._load_storage_config())  # noqa: SLF001 - as dlt's steps do
    normalize = NormalizeStorage(True, pipeline._normalize_storage_config())  # noqa: SLF001 - same
    name: str | None = getattr(pipeline, "default_schema_name")  # noqa: B009 - typed as None only
    if name:
        return
    for storage in (load.normalized_packages, normalize.extracted_packages):
        for load_id in storage.list_packages():
            schema = storage.load_schema(load_id)
            pipeline._schema_storage.save_schema(schema)  # noqa: SLF001 - as dlt's restore does
            name = name or schema.name
    pipeline.default_schema_name = name  # type: ignore[assignment]


def replace_all_copies(
    pipeline: Pipeline | str | None = None, *, pipelines_dir: str | Path | None = None
) -> int:
    """Store this machine's files and delete every older generation, as an erasure needs it.

    Both databases must be closed. Versions that the storage itself keeps of deleted objects are its
    own to delete.

    Returns:
        How many older copies were deleted; 0 where `state_url` is not set.

    Raises:
        StateError: It could not be stored; the older copies are still there.
    """
    session = session_of(_client(pipeline, pipelines_dir))
    if session is None:
        return 0
    session.store()
    return session.remote.prune(1)


def fetch(pipeline: Pipeline, *, replace: bool = False) -> None:
    """Bring this machine's files and the pipeline's working folder up to date.

    Args:
        pipeline: It need not have run here.
        replace: Give up what only this machine has.

    Raises:
        StateError: It cannot be fetched.
    """
    session = _needed(pipeline)
    if replace:
        pipeline.drop()  # its state may be newer than the fetched one, and would win
    session.begin(replace=replace)
    session.pinned = True
    try:
        pipeline.sync_destination()
    finally:
        session.pinned = False
        session.rest()


def fetch_new(
    name: str, *, pipelines_dir: str | None = None, destination_name: str | None = None
) -> Pipeline:
    """Fetch the state of a pipeline that has not run on this machine, and return the pipeline.

    Args:
        name: As it is called elsewhere.
        pipelines_dir: Where dlt keeps pipelines; default its own folder.
        destination_name: Another section of settings.

    Raises:
        StateError: It cannot be fetched, or nothing is stored.
    """
    from replenit_destination.destinations.factory import replenit

    def made(**known: Any) -> Pipeline:
        given = {name: value for name, value in known.items() if value is not None}
        destination = replenit(destination_name=destination_name)
        pipeline: Pipeline = dlt.pipeline(name, destination=destination, **given)
        return pipeline

    newest = _needed(made(pipelines_dir=pipelines_dir)).remote.newest()
    if newest is None:
        message = "state_url: no generation is stored there"
        raise StateError(message)
    _sessions.clear()  # it was made for the dataset that dlt names after the pipeline
    found = made(pipelines_dir=pipelines_dir, dataset_name=newest.facts.get("dataset_name"))
    fetch(found)
    return found


def store(pipeline: Pipeline) -> None:
    """Store this machine's files as the next generation, changed or not.

    Raises:
        StateError: It cannot be stored.
    """
    _needed(pipeline).store()


def unlock(pipeline: Pipeline) -> bool:
    """Take the state from whoever works with it; return whether somebody did.

    A runner that lives after all finds out before it sends or stores anything more.

    Raises:
        StateError: The storage cannot be used.
    """
    remote = _needed(pipeline).remote
    if remote.open_claim() is None:
        return False
    remote.give_up(remote.take(force=True))
    return True


def drop(pipeline: Pipeline) -> None:
    """Give up the newest generation, for instance a damaged one, so that the one before counts.

    Raises:
        StateError: Another runner works with the state, or there is no generation.
    """
    remote = _needed(pipeline).remote
    claim = remote.take()
    try:
        newest = remote.newest()
        if newest is None:
            message = "state_url: no generation is stored there"
            raise StateError(message)
        remote.delete(newest)
    finally:
        remote.give_up(claim)


def describe(pipeline: Pipeline) -> dict[str, Any]:
    """Return what is stored: `generation`, `stored_at`, `bytes`, `mode`, `encrypted`, `runner`.

    Raises:
        StateError: The storage cannot be used.
    """
    session = _needed(pipeline)
    newest, claim = session.remote.newest(), session.remote.open_claim()
    facts = newest.facts if newest else {}
    stored = facts.get("stored_at")
    moment = f"{datetime.fromtimestamp(stored, UTC):%Y-%m-%d %H:%M:%S} UTC" if stored else ""
    return {
        "state_url": session.remote.url,
        "generation": newest.number if newest else 0,
        "stored_at": moment,
        "bytes": newest.size if newest else 0,
        "mode": facts.get("mode", ""),
        "encrypted": bool(facts.get("key")),
        "runner": str(claim.process) if claim else "",
    }


def _needed(pipeline: Pipeline) -> StateSession:
    session = session_of(_client(pipeline, None))
    if session is None:
        message = "state_url is not set; there is no state to work with"
        raise SettingsError(message)
    return session


def settle_all() -> None:
    """Store what any session of this process changed, and let unchanged ones go.

    Raises:
        StateError: Something could not be stored.
    """
    for session in list(_sessions.values()):
        if not session.pinned:
            session.settle()


def _client(pipeline: Pipeline | str | None, pipelines_dir: str | Path | None) -> ReplenitClient:
    from replenit_destination.destinations.setup import client_of, find_pipeline

    return client_of(find_pipeline(pipeline, pipelines_dir))


def _made(client: ReplenitClient, ledger: Path) -> StateSession:
    from replenit_destination.destinations.state import StateSession
    from replenit_destination.destinations.state_archive import Cipher
    from replenit_destination.destinations.state_files import LocalFiles
    from replenit_destination.destinations.state_store import StateStore
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.quota import account_path

    config = client.config
    if config.database is None:
        message = "state_url: the database is an open connection without a file; give it a path"
        raise SettingsError(message)
    target = config.target_settings()
    working = config.pipeline_working_dir
    facts: dict[str, Any] = {
        "host": target.base_url,
        "tenant": target.tenant_id,
        "account": target.account,
        "pipeline": config.pipeline_name or "",
        "dataset_name": config.dataset_name,
        "mode": config.state,
    }
    files = LocalFiles(
        ledger,
        config.database.absolute(),
        account_path(ledger.parent, target.account),
        Path(working).absolute() if working else None,
    )
    clock = SystemClock()
    slim = None
    if config.state == "light":
        from replenit_destination.destinations.state_light import slimmed

        default = client.schema
        name = config.default_schema_name
        if name and name != default.name:
            default = Schema(name)  # only its name decides about the dataset's
        dataset = config.normalize_dataset_name(default)
        slim = partial(slimmed, config, dataset, files)
    return StateSession(
        files,
        StateStore(config.state_url or "", clock=clock, options=config.state_options),
        facts,
        cipher=Cipher(config.state_key) if config.state_key else None,
        slim=slim,
        keep=config.state_keep,
        read_only=config.state_read_only,
        clock=clock,
    )
