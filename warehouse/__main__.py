"""Command line of the warehouse: `python -m warehouse --help`."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from warehouse import openings, personal_data, publish, retention, roles, runs, schema
from warehouse.connections import dbt_environment
from warehouse.door import Warehouse, open_warehouse
from warehouse.errors import GateError, HealthError, NothingToDoError, WarehouseError
from warehouse.settings import Settings

EXIT_CODES = """
exit codes: 0 done, 1 the run's tests or marts forbid it, or the watch alerts, 2 something is wrong with the
request or the warehouse, 75 the warehouse could not be reached (try again), 99 nothing to do (Airflow shows
such a task as skipped)

The bank's warehouse is found through KEEPWELL_HOME, KEEPWELL_SOURCE, KEEPWELL_TARGET and
KEEPWELL_WAREHOUSE_URL. With KEEPWELL_PASSWORD_DIR the user is that of KEEPWELL_ROLE.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.command(Settings.from_environment(), options)
    except NothingToDoError as nothing:
        print(f"nothing to do: {nothing}", file=sys.stderr)
        if nothing.run_id:
            print(nothing.run_id)
        return 99
    except WarehouseError as fault:
        label = {GateError: "refused", HealthError: "alert"}.get(type(fault), "error")
        print(f"{label}: {fault}", file=sys.stderr)
        return fault.exit_code
    except BrokenPipeError:
        # The reader, `head` for one, has seen enough; leave the interpreter nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m warehouse",
        description="The warehouse of one bank: set-up, runs, publication, queries.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, text: str) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=text, description=text)
        subparser.set_defaults(command=command)
        return subparser

    add("init", _init, "create the schemas and ops tables that are missing")
    add("up", _up, "start the embedded PostgreSQL unless it runs")
    add("down", _down, "stop the embedded PostgreSQL")
    add("status", _status, "say where the warehouse is and what it has published")
    start = add("start-run", _start_run, "register a run; the last line of the output is its run_id")
    start.add_argument("--kind", required=True, choices=runs.KINDS)
    start.add_argument(
        "--as-of", required=True, type=_date, metavar="DATE", help="the day whose end is described"
    )
    start.add_argument(
        "--key", required=True, help="names this run: the same key gives the same run_id again"
    )
    for name, command, text in (
        ("publish", _publish, "let readers see a run, in one transaction"),
        ("fail-run", _fail_run, "mark a started run as failed"),
        ("end-run", _end_run, "mark a training or an audit, of which nothing is published, as done"),
    ):
        add(name, command, text).add_argument("--run", required=True, metavar="RUN_ID")
    add("rollback", _rollback, "withdraw the newest daily publication and show the one before it")
    retain = add(
        "retain", _retain, "drop old run schemas and archived daily snapshots; month-ends stay for ever"
    )
    retain.add_argument(
        "--runs",
        type=_at_least(1),
        default=retention.KEPT_RUNS,
        help="published runs that keep their schema (%(default)s)",
    )
    retain.add_argument(
        "--days",
        type=_at_least(0),
        default=retention.KEPT_DAYS,
        help="age of archived daily snapshots in days (%(default)s)",
    )
    retain.add_argument(
        "--text-days",
        type=_at_least(0),
        default=retention.KEPT_TEXT_DAYS,
        help="age of the texts of rejected rows in days (%(default)s)",
    )
    retain.add_argument(
        "--result-days",
        type=_at_least(0),
        default=retention.KEPT_RESULT_DAYS,
        help="age of results of tests, builds and the watch in days (%(default)s)",
    )
    personal_data.add_commands(add, _date)
    watch = add(
        "watch", _watch, "is the platform well? checks into ops.health_checks; exit code 1 on an alert"
    )
    watch.add_argument(
        "--only-new",
        action="store_true",
        help="exit code 1 only for an alert that the check before did not have; once a day while it goes on",
    )
    watch.add_argument(
        "--now",
        type=_moment,
        metavar="TIME",
        help="as it would look at another moment, in UTC: printed, not recorded",
    )
    roles_command = add(
        "roles",
        _roles,
        "make the roles of the PostgreSQL server that are missing, and bring all grants up to date",
    )
    roles_command.add_argument(
        "--password-dir",
        type=Path,
        metavar="DIR",
        help="folder with a file of one line a role, named as the role (keepwell_loader ...): it may log in "
        "with that password; a role without a file stays as it is (default: KEEPWELL_PASSWORD_DIR)",
    )
    add(
        "privileges",
        _privileges,
        "print who may do what, as a Markdown table of the server's catalogue; exit code 1 when it is not "
        "what `roles` grants",
    )
    add("sql", _sql, "print the rows of a select as CSV").add_argument(
        "statement", help="one select, or with ... select"
    )
    add("dbt-environment", _dbt_environment, "print shell exports for dbt's profiles")
    return parser


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it like 2026-10-31") from None


def _at_least(least: int) -> Callable[[str], int]:
    # A century of days is for ever; many more would lead out of the calendar.
    most = 36_500

    def whole_number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from {least} to {most}")
        return int(text)

    return whole_number


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write it like 2026-10-31T04:00") from None
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _ready(settings: Settings) -> Warehouse:
    warehouse = open_warehouse(settings)
    schema.ensure(warehouse)
    return warehouse


def _init(settings: Settings, options: argparse.Namespace) -> None:
    with open_warehouse(settings) as wh:
        schema.init(wh)


def _up(settings: Settings, options: argparse.Namespace) -> None:
    if settings.target == "duckdb" or settings.url:
        print("nothing to start: the warehouse is " + _place(settings), file=sys.stderr)
        return
    from warehouse import embedded

    embedded.up(settings.postgres_dir, settings.database)
    print(f"PostgreSQL runs in {settings.postgres_dir}, database {settings.database}", file=sys.stderr)


def _down(settings: Settings, options: argparse.Namespace) -> None:
    from warehouse import embedded

    if embedded.down(settings.postgres_dir):
        print(f"PostgreSQL in {settings.postgres_dir} is stopped", file=sys.stderr)
    else:
        print(f"no PostgreSQL runs in {settings.postgres_dir}", file=sys.stderr)


def _start_run(settings: Settings, options: argparse.Namespace) -> None:
    with _ready(settings) as wh:
        print(
            runs.start_run(
                wh, kind=options.kind, as_of_date=options.as_of, key=options.key, source=settings.source
            )
        )


def _publish(settings: Settings, options: argparse.Namespace) -> None:
    with _ready(settings) as wh:
        print(publish.publish(wh, options.run))


def _end_run(settings: Settings, options: argparse.Namespace) -> None:
    with _ready(settings) as wh:
        runs.end_run(wh, options.run)


def _fail_run(settings: Settings, options: argparse.Namespace) -> None:
    with _ready(settings) as wh:
        runs.fail_run(wh, options.run)


def _rollback(settings: Settings, options: argparse.Namespace) -> None:
    with _ready(settings) as wh:
        withdrawn, shown = publish.rollback(wh)
    print(f"withdrawn {withdrawn}\nmarts.* now show {shown}")


def _retain(settings: Settings, options: argparse.Namespace) -> None:
    with _ready(settings) as wh:
        dropped = retention.retain(
            wh,
            kept_runs=options.runs,
            kept_days=options.days,
            kept_text_days=options.text_days,
            kept_result_days=options.result_days,
        )
    for run_id in dropped.run_ids:
        print(f"dropped the schema of {run_id}")
    if dropped.dates:
        print(f"dropped {len(dropped.dates)} archived daily snapshots up to {dropped.dates[-1]}")
    if dropped.texts:
        print(f"dropped the texts of {dropped.texts} rejected rows")
    if dropped.results:
        print(f"dropped {dropped.results} results of tests, builds and the watch")


def _watch(settings: Settings, options: argparse.Namespace) -> None:
    from warehouse import health
    from warehouse.clock import utc_now

    now = options.now or utc_now()
    with _ready(settings) as wh, wh.transaction():
        findings = health.check(wh, now)
        told = health.news(wh, findings, now)
        # What a watch recorded of another time would pass for the check before, or for the newest.
        if options.now is None:
            health.record(wh, findings, now)
    print(health.table(findings), flush=True)
    if not options.only_new:
        told = [finding for finding in findings if finding.status == health.ALERT]
    if told:
        raise HealthError("; ".join(f"{one.check_name} {one.subject}: {one.message}" for one in told))


def _roles(settings: Settings, options: argparse.Namespace) -> None:
    with open_warehouse(settings) as wh:
        done = roles.apply(wh, options.password_dir or settings.password_dir)
    for line in done:
        print(line)
    print("all grants are up to date: `python -m warehouse privileges` shows them")


def _privileges(settings: Settings, options: argparse.Namespace) -> None:
    with open_warehouse(settings, read_only=True) as wh:
        print("| role | schema | may |\n|---|---|---|")
        for line in roles.table(wh):
            print(f"| {' | '.join(line)} |")
        too_many, lacking = roles.find_differences(wh)
        opened = openings.find(wh)
    if too_many or lacking or opened:
        raise GateError(
            "\n".join(
                [
                    "the server does not grant what `python -m warehouse roles` would:",
                    *(f"    too much: {right}" for right in too_many),
                    *(
                        f"    too much: {each.what}{'' if each.closed_by else ' (`roles` leaves it)'}"
                        for each in opened
                    ),
                    *(f"    missing: {right}" for right in lacking),
                ]
            )
        )


def _sql(settings: Settings, options: argparse.Namespace) -> None:
    from warehouse.csv_output import write_csv

    with open_warehouse(settings, read_only=True) as wh:
        write_csv(wh, options.statement, sys.stdout)
        sys.stdout.flush()


def _dbt_environment(settings: Settings, options: argparse.Namespace) -> None:
    for name, value in dbt_environment(settings).items():
        print(f"export {name}={shlex.quote(value)}")


def _status(settings: Settings, options: argparse.Namespace) -> None:
    print(f"warehouse     {_place(settings)}")
    with _ready(settings) as wh:
        for row in wh.query(
            "select source, policy_set, reporting_currency_code from ops.sources"
        ).to_pylist():
            print(
                f"source        {row['source']}, policy {row['policy_set']}, {row['reporting_currency_code']}"
            )
        for row in wh.query(
            "select count(*) as batches, max(delivered_on) as newest, sum(rows_loaded) as loaded"
            " from ops.batches where status = 'loaded'"
        ).to_pylist():
            newest = f", the newest of {row['newest']}, {row['loaded']:,.0f} rows" if row["batches"] else ""
            print(f"batches       {row['batches']}{newest}")
        shown = publish.shown_runs(wh)[:1]
        for row in wh.query(
            "select publication_no, run_id, kind, as_of_date, scores_status,"
            " withdrawn_at is not null as is_withdrawn"
            " from ops.publications order by publication_no desc limit 5"
        ).to_pylist():
            mark = "withdrawn" if row["is_withdrawn"] else "shown" if [row["run_id"]] == shown else "stands"
            print(
                f"publication   {row['publication_no']}  {row['run_id']}  {row['kind']}"
                f"  as of {row['as_of_date']}  {row['scores_status']}  {mark}"
            )


def _place(settings: Settings) -> str:
    """Where the warehouse is, without a password."""
    if settings.target == "duckdb":
        return str(settings.duckdb_path)
    if settings.url:
        return "the PostgreSQL database of KEEPWELL_WAREHOUSE_URL"
    return f"PostgreSQL in {settings.postgres_dir}, database {settings.database}"


if __name__ == "__main__":
    sys.exit(main())
