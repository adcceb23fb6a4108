"""What the scripts in this folder share: settings to ask for, the demo's sandbox, exit codes."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.exceptions import DltException, SignalReceivedException
from dlt.common.runtime import signals
from dlt.common.runtime.collector import NullCollector
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import ActivationError, SettingsError, push, run_lock
from replenit_destination.cli.console import Console
from replenit_destination.cli.rendering import show_report
from replenit_destination.destinations.live_progress import LiveProgress
from replenit_destination.destinations.lost_ledger import lost_ledger
from replenit_destination.destinations.state_sessions import state
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.storage import full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dlt.extract import DltSource

    from replenit_destination.sandbox import ReplenitSandbox

__all__ = [
    "DEMO_FOLDER",
    "ENTITIES",
    "deliver",
    "demo_vendor",
    "finish",
    "missing_replenit_settings",
    "moment",
    "names",
    "needing_extra",
    "parser",
]

DEMO_FOLDER = Path(".demo")
ENTITIES = ("customers", "orders", "products")
NOT_RUN, INTERRUPTED, LEFT = 2, 3, 130
_AGAIN = "Interrupted; run it again to go on where it stopped."


def parser(description: str) -> argparse.ArgumentParser:
    """Return a command line with what every script takes: a window, entities, a report.

    Args:
        description: The script's docstring; from `Exit codes` on it follows the options.
    """
    head, _, tail = description.partition("\n")
    made = argparse.ArgumentParser(
        description=head,
        epilog=tail[tail.index("Exit codes") :],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="read what changed from then on, whatever was read before: 2026-01-31 or "
        "2026-01-31T08:00:00+01:00, UTC where no zone is given",
    )
    made.add_argument(
        "--until", type=moment, metavar="TIME", help="read only what changed before then"
    )
    made.add_argument(
        "--full",
        action="store_true",
        help="read everything again, and compare everything with what Replenit has accepted",
    )
    made.add_argument(
        "--entities",
        type=names,
        metavar="NAMES",
        help="only these, separated by commas: customers, orders, products",
    )
    for hold, changed in (("resend", "a new mapping"), ("schema", "the source's tables")):
        made.add_argument(
            f"--accept-{hold}",
            dest="accept",
            action="append_const",
            const=f"accept_{hold}",
            default=[],
            help=f"send what was held because {changed} changed it, as the last report told",
        )
    made.add_argument(
        "--max-requests",
        type=int,
        metavar="N",
        help="stop cleanly after so many requests; the next run goes on there",
    )
    made.add_argument(
        "--stage-only",
        action="store_true",
        help="read and stage, send nothing: `dlt replenit plan` then shows what would be sent",
    )
    made.add_argument(
        "--report", type=Path, metavar="FILE", help="write the run's report there as JSON"
    )
    # For programs that call a script's functions, as backfill.py does.
    made.set_defaults(read=True, on_staged=None)
    return made


def moment(text: str) -> datetime:
    """Return the time a person wrote; UTC where no zone is given.

    Raises:
        argparse.ArgumentTypeError: It is none; argparse then says which option.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"`{text}` is not a time: write 2026-01-31 or 2026-01-31T08:00:00+01:00"
        raise argparse.ArgumentTypeError(message) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def names(text: str) -> list[str]:
    """Return the entities a person wrote, separated by commas.

    Raises:
        argparse.ArgumentTypeError: One is unknown.
    """
    found = [name.strip() for name in text.split(",")]
    if unknown := sorted(set(found) - set(ENTITIES)):
        message = f"no entity {', '.join(unknown)}; there are {', '.join(ENTITIES)}"
        raise argparse.ArgumentTypeError(message)
    return found


def missing_replenit_settings(mapping: str) -> dict[str, str]:
    """Return every setting of the destination that is not set: its name → where to put it.

    Args:
        mapping: A TOML file or a preset's name. When it says who consented, that is not asked for.

    Raises:
        MappingError: The mapping's file is not there or is no TOML.
    """
    config = "`.dlt/config.toml` under [destination.replenit], or DESTINATION__REPLENIT__{}"
    closed = "`.dlt/secrets.toml` under [destination.replenit], or DESTINATION__REPLENIT__{}"
    places = {
        "api_key": f"the key from Replenit's dashboard: {closed}",
        "tenant_id": f"the tenant's GUID, from the same page: {config}",
        "customer_identifier_priority": (
            f"`email` or `customerid`, as the tenant is set up: {config}"
        ),
        "gdpr_optin": (f"whom Replenit may process, for instance `email_or_sms_optin`: {config}"),
    }
    tables = Mapping.load(mapping).tables
    customers = tables.get("customers")
    # Without a preset, customers that are not mapped are not sent.
    if "GdprOptin" in (customers or {}).get("fields", {}) or not (customers or "preset" in tables):
        del places["gdpr_optin"]
    return {
        f"destination.replenit.{name}": place.format(name.upper())
        for name, place in places.items()
        if not _is_set(name)
    }


def _is_set(name: str) -> bool:
    stores = dlt.secrets if name == "api_key" else dlt.config
    return bool(stores.get(f"destination.replenit.{name}", str))


@contextmanager
def demo_vendor(folder: Path, *, profile: str = "strict") -> Iterator[ReplenitSandbox]:
    """Start the Replenit sandbox whose state is in a folder that only its owner can enter.

    It keeps its port: what a host has accepted is remembered under its address, port included, so
    on another port the sandbox would be another vendor and get everything anew.

    Raises:
        SettingsError: Its packages are not installed, or the port is taken.
    """
    with needing_extra("demo"):
        from replenit_destination.sandbox import ReplenitSandbox
    for place in (DEMO_FOLDER, folder):
        place.mkdir(mode=0o700, exist_ok=True)
    kept = folder / "port"
    port = int(kept.read_text(encoding="ascii")) if kept.exists() else 0
    with ExitStack() as running:
        try:
            box = ReplenitSandbox(profile=profile, state=folder / "replenit.sqlite", port=port)
            vendor = running.enter_context(box)
        except OSError as error:
            message = (
                f"the sandbox cannot listen on port {port} ({error.strerror}): is another demo "
                f"running? Delete {folder}/ to begin anew on another port."
            )
            raise SettingsError(message) from error
        kept.write_text(vendor.url.rpartition(":")[2], encoding="ascii")
        yield vendor


@contextmanager
def needing_extra(extra: str) -> Iterator[None]:
    """Turn a missing package into the words that install it.

    Raises:
        SettingsError: An import inside the block failed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = (
            f"this needs more packages (`{error.name}` is missing): pip install -e '.[{extra}]'"
        )
        raise SettingsError(message) from error


def deliver(pipeline: dlt.Pipeline, source: DltSource, options: argparse.Namespace) -> Any:
    """Stage what changed, deliver it, and return the report; None where nothing was to be sent.

    Args:
        pipeline: Stages where the delivery finds it.
        source: What is read.
        options: The script's. With `read` false nothing is read: what is staged is delivered.
            `on_staged` is called with the pipeline between staging and delivering.
    """
    with state(pipeline):  # where `state_url` is set: fetched first, stored once
        return _deliver(pipeline, source, options)


def _deliver(pipeline: dlt.Pipeline, source: DltSource, options: argparse.Namespace) -> Any:
    if warning := lost_ledger(pipeline):
        print(f"Warning: {warning}", file=sys.stderr)
    if isinstance(pipeline.collector, NullCollector):
        pipeline.collector = LiveProgress()
    with run_lock(pipeline):
        if pipeline.has_pending_data:
            # What an interrupted run had staged; dlt would load it in place of the new data.
            pipeline.run()
        if options.read:
            pipeline.run(source, loader_file_format="parquet")
    if options.on_staged:
        options.on_staged(pipeline)
    if options.stage_only:
        return None
    let_go: dict[str, Any] = dict.fromkeys(options.accept, True)
    return push(
        pipeline,
        entities=options.entities,
        full=options.full or None,
        max_requests=options.max_requests,
        **let_go,
    )


def finish(work: Callable[[], Any], report_file: Path | None, *sources: type[Exception]) -> int:
    """Run, tell what was done or why not, and return the exit code.

    The first Ctrl-C or TERM ends the work in order, in whichever of its parts it comes: 3. A second
    Ctrl-C leaves at once: 130; so does a second TERM, which the shell shows as 143.

    Args:
        work: Returns the report; None when there was nothing to deliver.
        report_file: Where to write it as JSON.
        *sources: The errors that the source explains in its own words.
    """
    explained: tuple[type[Exception], ...] = (ActivationError, *sources)
    try:
        # Around all parts: between two of them dlt would forget that a signal came.
        with signals.intercepted_signals():
            report = work()
    except KeyboardInterrupt as error:
        return _interrupted(error)
    except explained as error:
        return _stopped(error, NOT_RUN)
    except PipelineStepFailed as error:
        return _failed(error, explained)
    except DltException as error:
        return _stopped(error, NOT_RUN)
    if report is None:
        return 0
    show_report(report, Console())
    if report_file:
        text = json.dumps(report.to_dict(), indent=2, default=str)
        report_file.write_text(f"{text}\n", encoding="utf-8")
    return int(report.exit_code)


def _failed(error: PipelineStepFailed, explained: tuple[type[Exception], ...]) -> int:
    """Tell the cause that says most: dlt wraps each error of a step, sometimes twice."""
    for cause in _causes(error):
        if isinstance(cause, KeyboardInterrupt):
            return _interrupted(cause)
        if isinstance(cause, explained):
            return _stopped(cause, NOT_RUN)
        if full_disk := full(cause, Path.cwd()):
            return _stopped(full_disk, NOT_RUN)
    return _stopped(error, NOT_RUN)


def _interrupted(error: BaseException) -> int:
    ended_in_order = isinstance(error, SignalReceivedException)
    return _stopped(_AGAIN, INTERRUPTED if ended_in_order else LEFT)


def _stopped(why: object, code: int) -> int:
    print(why, file=sys.stderr)
    return code


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
