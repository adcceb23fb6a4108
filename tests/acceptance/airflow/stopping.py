"""Run by Airflow's Python: a task is killed while its script runs; prints how both ended."""

import sys
import tempfile
import threading
from pathlib import Path

from airflow.sdk.exceptions import AirflowException
from replenit_dags import Deliver

SCRIPT = """
import signal, sys, time
def end(*_):
    print("recorded", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
open("started", "w").close()
while True:
    time.sleep(0.05)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
        tenant = {"name": "de", "folder": name, "script": "script.py", "python": sys.executable}
        task = Deliver(task_id="deliver", tenant=tenant)
        beat = threading.Event()

        def kill() -> None:
            while not (folder / "started").exists():
                beat.wait(0.02)
            task.on_kill()

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            task.execute({})
        except AirflowException as error:
            sys.stdout.write(f"{type(error).__name__}: {error}\n")
        killing.join()


if __name__ == "__main__":
    main()
