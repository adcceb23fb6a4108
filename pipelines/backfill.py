"""Deliver a long stretch of time piece by piece: a notebook, and a script with arguments."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Backfill to Replenit")

with app.setup:
    import sys
    from datetime import UTC, datetime, timedelta

    import marimo as mo
    from chunks import Backfill
    from launch import finish
    from stretch import Asked, parse, sources

    from replenit_destination.engine.plan_markdown import plan_markdown


@app.cell(hide_code=True)
def _():
    mo.md("""
    # Backfill

    Reads a long stretch of time piece by piece, the newest first, and delivers each to Replenit
    inside a budget of requests. It may end at any moment: run it again with the same stretch, and
    it goes on where it stopped. As a script:
    `python backfill.py --demo --since 2025-01-01 --chunk-days 30 --max-requests 500`.
    """)
    return


@app.cell
def _():
    script = mo.app_meta().mode == "script"
    typed = parse(sys.argv[1:]) if script else None
    return script, typed


@app.cell
def _(script):
    today = datetime.now(UTC).date()
    source = mo.ui.dropdown(sources(), value=sources()[0], label="Source")
    demo = mo.ui.switch(value=True, label="Demo: the sample, to a sandbox on this machine")
    since = mo.ui.date(value=today - timedelta(days=365), label="From")
    until = mo.ui.date(value=today, label="up to, not including")
    days = mo.ui.slider(1, 365, value=30, label="Days in a piece", show_value=True)
    budget = mo.ui.number(1, 100_000, value=500, label="Requests in this run, at most")
    restart = mo.ui.checkbox(label="Forget what an earlier run has done")
    rows = [mo.hstack([source, demo]), mo.hstack([since, until]), days, budget, restart]
    mo.output.replace(None if script else mo.vstack(rows))
    return budget, days, demo, restart, since, source, until


@app.cell
def _(budget, days, demo, restart, since, source, typed, until):
    def at(day):
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    asked = typed or Asked(
        source.value,
        at(since.value),
        at(until.value),
        days.value,
        budget.value,
        demo=demo.value,
        restart=restart.value,
    )
    job = Backfill(asked)
    mo.ui.table(
        [{"piece": c.label, "state": c.state, "requests": c.requests} for c in job.chunks],
        selection=None,
    )
    return asked, job


@app.cell
def _(script):
    price = mo.ui.run_button(label="Read the next piece and show its price")
    go = mo.ui.run_button(label="Deliver")
    mo.output.replace(None if script else mo.hstack([price, go], justify="start"))
    return go, price


@app.cell
def _(asked, go, job, price, script):
    planning = asked.plan or price.value
    mo.stop(not (planning or script or go.value))

    def show_plan(chunk, plan):
        print(f"{chunk.label}: {plan.headline}", flush=True)

    def look():
        found = job.plan()
        if found is None:
            print("Every piece is delivered.")
        else:
            show_plan(*found)
            mo.output.append(mo.md(plan_markdown(found[1])))

    def deliver():
        with mo.status.progress_bar(total=len(job.chunks), remove_on_exit=True) as bar:

            def show(chunk, done, total):
                bar.update(0, subtitle=f"{chunk.label}: {done:,} of {total:,} documents")

            for chunk in job.run(show, show_plan):
                bar.update()
                print(f"{chunk.label}: {chunk.state}, {chunk.requests} requests", flush=True)
        return job.outcome()

    code = finish(look if planning else deliver, asked.report, *job.script.SOURCE_ERRORS)
    return (code,)


@app.cell
def _(code, job):
    ended = job.outcome()
    mo.md(f"**Exit code {code}**\n\n```text\n{ended.summary}\n```")
    return


@app.cell
def _(code, script):
    if script:
        sys.exit(code)
    return


if __name__ == "__main__":
    app.run()
