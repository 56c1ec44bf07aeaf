"""How an alert leaves the platform: a webhook, e-mail, both, or neither, as the environment says.

Sending never raises: an alert that cannot be sent must not hide what it is about. No line of the log holds an
address of a webhook or a password, and none quotes an error that might.
"""

import json
import logging
import os
import smtplib
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
PAUSE_SECONDS = 2.0
# A message is read on a telephone; the whole story stands in the task's log.
LONGEST_ERROR = 1000


@dataclass(frozen=True)
class Alert:
    """What is told. `kind` names the section of docs/operations.md that says what to do; `run_id` is the
    warehouse's, empty where there is none.
    """

    kind: str
    dag: str
    task: str
    as_of_date: str
    run_id: str
    error: str

    @property
    def read_on(self) -> str:
        """Where the remedy is written down."""
        return f"docs/operations.md#alert-{self.kind}"

    @property
    def title(self) -> str:
        """One line: what, where, of which day."""
        where = f"{self.dag}: {self.task}" if self.task else self.dag
        return " ".join(f"Keepwell: {self.kind} alert, {where}, day {self.as_of_date or 'none'}".split())

    @property
    def text(self) -> str:
        """The whole message in lines."""
        return "\n".join(
            [
                self.title,
                f"run: {self.run_id or 'none'}",
                f"error: {self.error}",
                f"what to do: {self.read_on}",
            ]
        )

    def document(self) -> dict[str, str]:
        """The message for a webhook. Chat services show `text` and ignore the rest."""
        return {**asdict(self), "read_on": self.read_on, "text": self.text}


class ChannelError(Exception):
    """A setting that cannot be used; the message names the variable and holds no secret."""


def send(alert: Alert, environment: Mapping[str, str] | None = None) -> list[str]:
    """Through every channel that is set: KEEPWELL_ALERT_WEBHOOK, KEEPWELL_ALERT_EMAIL; those that took it.

    A channel that fails is tried a second time after a short pause.
    """
    variables = os.environ if environment is None else environment
    channels = {"KEEPWELL_ALERT_WEBHOOK": _post, "KEEPWELL_ALERT_EMAIL": _mail}
    taken = []
    for variable, channel in channels.items():
        if not variables.get(variable):
            continue
        for pause in (PAUSE_SECONDS, None):
            try:
                channel(alert, variables)
            except ChannelError as error:
                log.error("Keepwell: the alert could not be sent: %s", error)
            except Exception as error:
                if pause is not None:
                    time.sleep(pause)
                    continue
                # The address can carry a secret, and some of these errors quote it.
                log.error("Keepwell: the alert could not be sent to %s: %s", variable, type(error).__name__)
            else:
                taken.append(variable)
            break
    return taken


def _post(alert: Alert, variables: Mapping[str, str]) -> None:
    webhook = variables["KEEPWELL_ALERT_WEBHOOK"]
    if not webhook.startswith(("https://", "http://")):
        raise ChannelError("KEEPWELL_ALERT_WEBHOOK is no http address")
    body = json.dumps(alert.document()).encode()
    request = urllib.request.Request(webhook, data=body, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()


def _mail(alert: Alert, variables: Mapping[str, str]) -> None:
    recipients = variables["KEEPWELL_ALERT_EMAIL"].replace(",", " ").split()
    server = urlsplit(variables.get("KEEPWELL_SMTP_URL") or "")
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        raise ChannelError("KEEPWELL_ALERT_EMAIL needs KEEPWELL_SMTP_URL=smtp[s]://user@host:port")
    if server.password is not None:
        raise ChannelError("KEEPWELL_SMTP_URL holds a password: put it into KEEPWELL_SMTP_PASSWORD_FILE")
    user = unquote(server.username or "")
    message = EmailMessage()
    message["Subject"] = alert.title
    message["From"] = user if "@" in user else recipients[0]
    message["To"] = ", ".join(recipients)
    message.set_content(alert.text + "\n")
    context = ssl.create_default_context()
    if server.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.hostname, server.port or 465, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = smtplib.SMTP(server.hostname, server.port or 587, timeout=TIMEOUT_SECONDS)
    with connection:
        connection.ehlo_or_helo_if_needed()
        is_private = server.scheme == "smtps"
        if not is_private and connection.has_extn("starttls"):
            connection.starttls(context=context)
            is_private = True
        if user:
            if not is_private:
                raise ChannelError("the mail server offers no STARTTLS, and a password goes to none without")
            connection.login(user, _password(variables))
        connection.send_message(message)


def _password(variables: Mapping[str, str]) -> str:
    path = variables.get("KEEPWELL_SMTP_PASSWORD_FILE")
    if not path:
        raise ChannelError("KEEPWELL_SMTP_URL names a user: set KEEPWELL_SMTP_PASSWORD_FILE")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ChannelError(f"KEEPWELL_SMTP_PASSWORD_FILE cannot be read: {type(error).__name__}") from None
