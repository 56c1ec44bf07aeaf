"""`python -m keepwell run`, `airflow` and `first-run`: what `make run`, `make airflow` and compose call."""

import argparse
import os
import signal
import sys
import time

from rich.console import Console

from keepwell.airflow_api import ApiError
from keepwell.airflow_home import AirflowHome, AirflowHomeError
from keepwell.docs import DocsError, write_docs
from keepwell.first_run import FirstRunError, Wanted, first_run
from keepwell.pipeline import Pipeline, PipelineError
from keepwell.request import DEMO_AS_OF, BadRequestError, Request
from keepwell.services import ServiceError, Services, is_free
from warehouse import Settings, WarehouseError


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done, 1 a step failed, 2 bad input."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        options.command(options, console)
    except (BadRequestError, WarehouseError) as error:
        print(error, file=sys.stderr)
        return 2
    except (PipelineError, ServiceError, AirflowHomeError, FirstRunError, ApiError, DocsError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m keepwell", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", help="files to published marts and a report, through Airflow's DAGs")
    run.add_argument(
        "--source", help="the bank: demo, berka or canonical (default: KEEPWELL_SOURCE, else demo)"
    )
    run.add_argument("--landing", help="the folder of its files (the demo bank makes its own)")
    run.add_argument("--as-of", help=f"the day to build, YYYY-MM-DD (demo: {DEMO_AS_OF})")
    run.add_argument("--target", help="postgres or duckdb (default: KEEPWELL_TARGET, else postgres)")
    run.set_defaults(command=_run)

    docs = commands.add_parser(
        "docs", help="dbt's documentation of the warehouse as one page; prints its path"
    )
    docs.set_defaults(command=_docs)

    airflow = commands.add_parser("airflow", help="Airflow's pages and scheduler on localhost, until Ctrl-C")
    airflow.add_argument(
        "--port", type=int, default=8080, help="the port of the pages (default: %(default)s)"
    )
    airflow.set_defaults(command=_airflow)

    first = commands.add_parser(
        "first-run",
        help="an empty warehouse to published marts, in the Airflow of KEEPWELL_AIRFLOW_URL",
    )
    first.set_defaults(command=lambda *_: first_run(Wanted.from_environment(os.environ)))
    return parser


def _run(options: argparse.Namespace, console: Console) -> None:
    for name, value in (("KEEPWELL_SOURCE", options.source), ("KEEPWELL_TARGET", options.target)):
        if value:
            os.environ[name] = value
    request = Request.parse(Settings.from_environment(), options.landing, options.as_of)
    Pipeline(request, console).run()


def _docs(_: argparse.Namespace, console: Console) -> None:
    with console.status("dbt writes the documentation"):
        page = write_docs(Settings.from_environment())
    print(page)


def _airflow(options: argparse.Namespace, console: Console) -> None:
    settings = Settings.from_environment()
    if not is_free(options.port):
        raise BadRequestError(
            f"Port {options.port} is taken: stop what listens there, or choose one with --port"
        )
    airflow = AirflowHome(settings, options.port)
    with console.status("Airflow: configuration and database"):
        airflow.prepare()
    with Services(airflow) as services:
        with console.status("Airflow is starting"):
            while not services.is_up():
                services.check()
                time.sleep(0.5)
        console.print(
            f"Airflow is at {airflow.address}, user admin, password in {airflow.passwords}\n"
            f"Its commands: AIRFLOW_HOME={airflow.folder} .venv/bin/airflow ...\nCtrl-C stops it.",
            highlight=False,
            soft_wrap=True,
        )
        while True:
            services.check()
            time.sleep(1)


if __name__ == "__main__":
    # `kill` stops what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
