"""What a run was asked for: the bank, its files, the day."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from warehouse import Settings

PROJECT = Path(__file__).resolve().parents[1]
DEMO_AS_OF = date(2026, 10, 31)
DEMO_CUSTOMERS = 20_000
# Enough for some rejected rows of every reason, far from the share at which a delivery is refused.
DEMO_DIRT = 0.001


class BadRequestError(Exception):
    """The message says what is wrong and what to write instead."""


@dataclass(frozen=True)
class Request:
    """One bank, built as it was at the end of `as_of`, from the deliveries in `landing`."""

    settings: Settings
    landing: Path
    as_of: date
    is_simulated: bool

    @classmethod
    def parse(cls, settings: Settings, landing: str | None, as_of: str | None) -> "Request":
        """From the command line's words; the demo bank has a landing folder and a date of its own.

        Raises BadRequestError for an unknown source, a missing or unreadable date, a missing folder.
        """
        source = settings.source
        sources = sorted(path.stem for path in (PROJECT / "ingest" / "sources").glob("*.yml"))
        if source not in sources:
            raise BadRequestError(f"SOURCE={source} is not known: use one of {', '.join(sources)}")
        is_simulated = source == "demo" and not landing
        if source != "demo" and not landing:
            raise BadRequestError(
                f"SOURCE={source} needs LANDING, the folder of its files, for example LANDING=../{source}"
            )
        if source != "demo" and not as_of:
            raise BadRequestError(
                f"SOURCE={source} needs AS_OF, the day to build, for example AS_OF={DEMO_AS_OF.isoformat()}"
            )
        # Resolved here: the tasks run from the project's root.
        folder = settings.landing_dir if is_simulated else Path(landing or "").expanduser().resolve()
        if not is_simulated and not folder.is_dir():
            raise BadRequestError(f"LANDING={landing} is no folder (looked for {folder})")
        return cls(settings, folder, _date(as_of) if as_of else DEMO_AS_OF, is_simulated)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequestError(
            f"AS_OF={text} is no date: write it as YYYY-MM-DD, for example 2026-10-31"
        ) from None
