"""One long life with many deaths ends with the source's state at the vendor, and with nothing lost.

`REPLENIT_KILLS=200` dies 200 times; `REPLENIT_KILLS_SEED` chooses other moments.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import TYPE_CHECKING, Any

import duckdb

from tests.acceptance.kills.lives import TARGETS, lives

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("REPLENIT_KILLS", "20"))
SEED = int(os.environ.get("REPLENIT_KILLS_SEED", "3"))
WORKERS = 2


def test_shop_of_20_000_documents_survives_kill_9_at_random_points(tmp_path: Path) -> None:
    """Half of the deaths come at a random moment, half at a random step of a random part."""
    draws = random.Random(SEED)
    # More deaths, more requests for them to come into.
    batch = max(5, 1000 // KILLS)
    with lives(tmp_path, draws, workers=WORKERS, batch=batch, latency=0.2) as each:
        resent = ends = 0
        while each.kills < KILLS:
            code = each.live(
                load=not staged(tmp_path) or draws.random() < 0.5,
                deliver=draws.choice(["load", "manual"]),
                **death(draws),
            )
            assert code in {-signal.SIGKILL, 0, 3}, each.errors()[-4000:]
            ends += code >= 0
            # Not life by life: what one death left in doubt may still wait when the next one comes.
            allowed = each.allowed
            resent += each.repeated(killed=code == -signal.SIGKILL)
            assert resent <= allowed, "deaths send again what was in flight, no more"
            if draws.random() < 0.5:
                each.source.edit(draws)
        each.box.faults.clear()
        assert each.live() == 0, each.errors()[-4000:]
        resent += each.repeated(killed=False)
        sys.stdout.write(
            f"{each.kills} deaths, {ends} other lives, {each.box.journal.total} requests, "
            f"{resent} documents sent again: {dict(each.hits.most_common())}\n"
        )
        assert resent <= each.allowed <= KILLS * WORKERS * batch
        assert each.held() == each.source.expected()
        assert unsettled(tmp_path) == []
        assert each.live() == 0
        assert each.report()["requests"] == 0


def death(draws: random.Random) -> dict[str, Any]:
    """Return when or where a life is to die."""
    kind = draws.randrange(4)
    if kind == 0:
        return {"seconds": draws.uniform(0, 3)}
    if kind == 1:
        return {"delivering": draws.uniform(0, 0.7)}
    return {"target": draws.choice(list(TARGETS)), "delivering": 2.0}


def staged(folder: Path) -> bool:
    """Whether a life has come as far as the ledger, so that there is something to push."""
    return (folder / "stage.ledger.duckdb").exists()


def unsettled(folder: Path) -> list[Any]:
    """Return what the ledger does not hold as accepted."""
    with duckdb.connect(str(folder / "stage.ledger.duckdb")) as ledger:
        return ledger.execute(
            "SELECT entity, refusal, backlog, count(*) FROM entry"
            " WHERE refusal IS NOT NULL OR backlog IS NOT NULL OR content_hash IS NULL"
            " GROUP BY ALL"
        ).fetchall()
