"""Alerts by webhook and mail, against a real HTTP server and a real mail server, and what they say."""

import asyncio
import datetime as dt
import json
import logging
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_string
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keepwell_dags.alerts import CHECKS, DEADLINE, KINDS, on_failure, on_missed_deadline
from keepwell_dags.channels import Alert, send

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "hush-hush"
ALERT = Alert("gate", "customer_daily", "marts_gate", "2026-10-31", "run_20261031_01", "exit code 1")


@pytest.fixture(autouse=True)
def no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALERT_WEBHOOK", "ALERT_EMAIL", "SMTP_URL", "SMTP_PASSWORD_FILE"):
        monkeypatch.delenv(f"KEEPWELL_{name}", raising=False)
    monkeypatch.setattr("keepwell_dags.channels.PAUSE_SECONDS", 0.01)


@dataclass
class Mailbox:
    """What a mail server was told."""

    port: int = 0
    is_private: bool = False
    logins: list[str] = field(default_factory=list)
    mails: list[tuple[str, list[str], str]] = field(default_factory=list)


def mail_server(mailbox: Mailbox, context: ssl.SSLContext | None, refuses: str) -> type:
    """A handler that speaks as much SMTP as a client needs; `refuses` is a verb it answers with 550."""

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 mail.test")
            sender, recipients = "", []
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                if verb == refuses:
                    self.say(f"550 no {SECRET} for you")
                elif verb == "EHLO":
                    offer = "STARTTLS" if context and not mailbox.is_private else "AUTH PLAIN"
                    self.wfile.write(f"250-mail.test\r\n250 {offer}\r\n".encode())
                elif verb == "STARTTLS" and context:
                    self.say("220 go on")
                    secured = context.wrap_socket(self.connection, server_side=True)
                    self.rfile, self.wfile = secured.makefile("rb"), secured.makefile("wb", 0)
                    mailbox.is_private = True
                elif verb == "AUTH":
                    mailbox.logins.append(line)
                    self.say("235 welcome")
                elif verb == "MAIL":
                    sender = line
                    self.say("250 ok")
                elif verb == "RCPT":
                    recipients.append(line)
                    self.say("250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (body := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(body)
                    mailbox.mails.append((sender, recipients, "".join(lines)))
                    self.say("250 taken")
                else:
                    self.say("221 bye" if verb == "QUIT" else "250 ok")
                    if verb == "QUIT":
                        return

    return Handler


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def start(context: ssl.SSLContext | None = None, refuses: str = "") -> Mailbox:
        mailbox = Mailbox()
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), mail_server(mailbox, context, refuses))
        server.daemon_threads = True
        mailbox.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return mailbox

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key, which nobody trusts who is not told to."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    return path


class Listener(BaseHTTPRequestHandler):
    heard: list[dict[str, str]]
    # How many messages are refused before one is taken.
    refusals = 0

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Listener.refusals:
            Listener.refusals -= 1
            self.send_response(503)
        else:
            self.heard.append(message)
            self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[str]:
    Listener.heard, Listener.refusals = [], 0
    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{SECRET}"
    server.shutdown()
    server.server_close()


def mail(mailbox: Mailbox, **more: str) -> dict[str, str]:
    return {
        "KEEPWELL_ALERT_EMAIL": "night@bank.test, day@bank.test",
        "KEEPWELL_SMTP_URL": f"smtp://localhost:{mailbox.port}",
        **more,
    }


def test_both_channels_carry_the_whole_message(serve: Any, webhook: str) -> None:
    mailbox = serve()
    taken = send(ALERT, mail(mailbox, KEEPWELL_ALERT_WEBHOOK=webhook))
    assert taken == ["KEEPWELL_ALERT_WEBHOOK", "KEEPWELL_ALERT_EMAIL"]
    [(sender, recipients, text)] = mailbox.mails
    assert sender.startswith("mail FROM:<night@bank.test>")
    assert [line.split()[1] for line in recipients] == ["TO:<night@bank.test>", "TO:<day@bank.test>"]
    parsed = message_from_string(text)
    assert parsed["Subject"] == "Keepwell: gate alert, customer_daily: marts_gate, day 2026-10-31"
    body = parsed.get_payload()
    for part in ("run_20261031_01", "exit code 1", "docs/operations.md#alert-gate"):
        assert part in body, part
    [posted] = Listener.heard
    assert posted["text"].splitlines() == body.strip().replace("\r\n", "\n").splitlines()
    assert posted["read_on"] == "docs/operations.md#alert-gate"


@pytest.mark.parametrize(("refusals", "is_sent"), [(1, True), (2, False)])
def test_a_channel_that_fails_is_tried_a_second_time_and_no_third(
    refusals: int, is_sent: bool, webhook: str, caplog: pytest.LogCaptureFixture
) -> None:
    Listener.refusals = refusals
    taken = send(ALERT, {"KEEPWELL_ALERT_WEBHOOK": webhook})
    assert (taken == ["KEEPWELL_ALERT_WEBHOOK"], len(Listener.heard)) == (is_sent, int(is_sent))
    assert Listener.refusals == 0
    assert ("HTTPError" in caplog.text) != is_sent


def test_without_a_channel_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    assert send(ALERT, {}) == []
    assert caplog.text == ""


def test_a_user_logs_in_behind_starttls_and_is_the_sender(
    serve: Any,
    context: ssl.SSLContext,
    certificate: Path,
    password_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mailbox = serve(context)
    sent = send(
        ALERT,
        mail(
            mailbox,
            KEEPWELL_SMTP_URL=f"smtp://keepwell%40bank.test@localhost:{mailbox.port}",
            KEEPWELL_SMTP_PASSWORD_FILE=str(password_file),
        ),
    )
    assert sent == ["KEEPWELL_ALERT_EMAIL"], caplog.text
    assert mailbox.is_private
    assert len(mailbox.logins) == 1
    assert "FROM:<keepwell@bank.test>" in mailbox.mails[0][0]


def test_a_server_that_is_not_trusted_gets_no_mail(
    serve: Any, context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox = serve(context)
    assert send(ALERT, mail(mailbox)) == []
    assert mailbox.mails == []
    assert "SSLCertVerificationError" in caplog.text


def test_no_password_goes_over_an_open_line(
    serve: Any, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox = serve()
    variables = mail(
        mailbox,
        KEEPWELL_SMTP_URL=f"smtp://night@localhost:{mailbox.port}",
        KEEPWELL_SMTP_PASSWORD_FILE=str(password_file),
    )
    assert send(ALERT, variables) == []
    assert mailbox.logins == mailbox.mails == []
    assert "no STARTTLS" in caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"KEEPWELL_SMTP_URL": ""}, "needs KEEPWELL_SMTP_URL"),
        ({"KEEPWELL_SMTP_URL": f"smtp://night:{SECRET}@localhost:25"}, "holds a password"),
        ({"KEEPWELL_SMTP_URL": f"smtp://localhost:{SECRET}"}, "ValueError"),
        ({"KEEPWELL_SMTP_URL": "smtp://localhost:9"}, "ConnectionRefusedError"),
        ({"KEEPWELL_ALERT_EMAIL": " , "}, "IndexError"),
    ],
)
def test_a_channel_that_cannot_be_used_is_told_without_its_secret(
    changes: dict[str, str], told: str, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(ALERT, mail(serve()) | changes) == []
    assert told in caplog.text
    assert SECRET not in caplog.text


def test_a_refusal_is_told_without_its_words_and_does_not_stop_the_other_channel(
    serve: Any, webhook: str, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox = serve(refuses="RCPT")
    assert send(ALERT, mail(mailbox, KEEPWELL_ALERT_WEBHOOK=webhook)) == ["KEEPWELL_ALERT_WEBHOOK"]
    assert "KEEPWELL_ALERT_EMAIL: SMTPRecipientsRefused" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("task_id", "error", "kind"),
    [
        ("marts_and_scores_gate", "exit code 1.", "gate"),
        ("ingest", "exit code 1.", "ingest"),
        ("report", "exit code 2.", "task"),
        ("watch", "exit code 1. alert: delivery_age transactions; delivery_volume accounts", "delivery-age"),
        ("watch", "exit code 75. error: the warehouse could not be reached", "task"),
    ],
)
def test_an_alert_names_the_section_that_helps(
    task_id: str, error: str, kind: str, webhook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEPWELL_ALERT_WEBHOOK", webhook)
    on_failure(
        {
            "ti": SimpleNamespace(dag_id="a_dag", task_id=task_id),
            "task": SimpleNamespace(env={"AS_OF": "2026-10-31", "RUN_ID": ""}),
            "exception": RuntimeError(error),
        }
    )
    assert Listener.heard[0]["kind"] == kind


def test_every_task_whose_failure_has_a_section_of_its_own_is_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is renamed would be told as any other."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(PROJECT / "dags"))
    assert KINDS.keys() <= {task.task_id for dag in bag.dags.values() for task in dag.tasks}
    assert bag.dags["platform_watch"].task_ids == ["watch", "history"]


def test_the_checks_are_those_of_the_watch() -> None:
    from warehouse import health

    # In this order, which is that of urgency.
    assert tuple(health.CHECKS) == CHECKS


def anchors(markdown: str) -> set[str]:
    return set(re.findall(r'<a id="(alert-[a-z-]+)"></a>', markdown))


def test_every_kind_of_alert_has_its_section_in_the_operators_book() -> None:
    kinds = {*KINDS.values(), "task", DEADLINE, *(check.replace("_", "-") for check in CHECKS)}
    written = anchors((PROJECT / "docs" / "operations.md").read_text(encoding="utf-8"))
    assert written == {f"alert-{kind}" for kind in kinds}


def missed(**run: Any) -> dict[str, Any]:
    return {
        "dag_run": {
            "dag_id": "customer_daily",
            "dag_run_id": "scheduled__2026-11-01",
            "run_type": "scheduled",
            "state": "running",
            "conf": {},
            "data_interval_end": "2026-11-01T00:00:00Z",
            **run,
        },
        "deadline": {"id": "1", "deadline_time": "2026-11-01T04:00:00+00:00"},
    }


def test_a_missed_deadline_is_told_with_its_day(
    webhook: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KEEPWELL_ALERT_WEBHOOK", webhook)
    with caplog.at_level(logging.ERROR):
        asyncio.run(on_missed_deadline(missed()))
        asyncio.run(on_missed_deadline(missed(conf={"as_of_date": "2026-01-31"})))
    first, second = Listener.heard
    assert (first["kind"], first["as_of_date"], second["as_of_date"]) == (
        DEADLINE,
        "2026-10-31",
        "2026-01-31",
    )
    assert "scheduled__2026-11-01 is running" in first["error"]
    assert first["error"].endswith("was to be done by 2026-11-01T04:00 UTC")


@pytest.mark.parametrize("run_type", ["backfill", "manual"])
def test_a_past_day_that_is_built_now_is_not_late(
    run_type: str, webhook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEPWELL_ALERT_WEBHOOK", webhook)
    asyncio.run(on_missed_deadline(missed(run_type=run_type)))
    assert Listener.heard == []


@pytest.mark.parametrize(("text", "hours"), [("", 4.0), ("2.5", 2.5)])
def test_the_deadline_is_of_the_environment(
    text: str, hours: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("KEEPWELL_DEADLINE_HOURS", text)
    from keepwell_dags.arguments import done_within

    alert = done_within(4, period=dt.timedelta(days=1))
    assert alert is not None
    assert alert.interval == dt.timedelta(days=1, hours=hours)
    # The path by which the triggerer imports it.
    assert alert.callback.path == "keepwell_dags.alerts.on_missed_deadline"


def test_no_hours_are_no_deadline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("KEEPWELL_DEADLINE_HOURS", "0")
    from keepwell_dags.arguments import done_within

    assert done_within(4, period=dt.timedelta(days=1)) is None


@pytest.mark.parametrize("text", ["four", "-1", "200", "nan"])
def test_a_deadline_of_nonsense_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("KEEPWELL_DEADLINE_HOURS", text)
    from keepwell_dags.arguments import done_within

    with pytest.raises(ValueError, match="KEEPWELL_DEADLINE_HOURS"):
        done_within(4, period=dt.timedelta(days=1))
