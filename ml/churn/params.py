"""The model's parameters: params.yaml, read strictly into frozen dataclasses."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from ml.churn.errors import InputError

PARAMS_FILE = Path(__file__).with_name("params.yaml")
FEATURES_FILE = Path(__file__).with_name("features.yaml")
KINDS = {"amount", "count", "days", "ratio", "share", "score", "rate", "category"}


@dataclass(frozen=True)
class Feature:
    """One column of the panel; `window` in days (None: state at the as-of date), `sign` the expected
    direction, `source` the raw entities it is made from, `reason` the code under which it is told to people.
    """

    name: str
    kind: str
    unit: str
    window: int | None
    sign: int
    meaning: str = ""
    source: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_category(self) -> bool:
        """True for text columns; every other kind is a number."""
        return self.kind == "category"


@dataclass(frozen=True)
class Windows:
    """Observation, gap and outcome, in days."""

    observation_days: int
    gap_days: int
    outcome_days: int

    @property
    def embargo_days(self) -> int:
        """Days until the outcome of a snapshot is known."""
        return self.gap_days + self.outcome_days


@dataclass(frozen=True)
class Split:
    """How many snapshots test, and how many folds at most choose."""

    test_snapshots: int
    choice_folds: int


@dataclass(frozen=True)
class Minimum:
    """Churners below which there is no training."""

    train_churners: int
    test_churners: int


@dataclass(frozen=True)
class Sample:
    """How many mature rows of the panel are read at most."""

    max_rows: int


@dataclass(frozen=True)
class Calibration:
    """Method of CalibratedClassifierCV and its number of folds by customer."""

    method: str
    folds: int


@dataclass(frozen=True)
class PromotionRule:
    """What a challenger with more EMPC may lose: calibration error, and AUC in the worst protected group that
    has `group_churners` churners or more.
    """

    calibration_tolerance: float
    group_tolerance: float
    group_churners: int


@dataclass(frozen=True)
class Tracking:
    """Whether trainings are logged to MLflow beside the registry."""

    mlflow: bool


@dataclass(frozen=True)
class Economics:
    """What an offer costs and keeps, in the reporting currency, and the Beta distribution of its acceptance.

    Left out, the values of the literature (Verbraken, Verbeke, Baesens 2013).
    """

    lifetime_value: float = 200.0
    incentive_cost: float = 10.0
    contact_cost: float = 1.0
    acceptance_alpha: float = 6.0
    acceptance_beta: float = 14.0


@dataclass(frozen=True)
class Evaluation:
    """Draws and confidence of the intervals, the share of customers a campaign reaches."""

    draws: int = 500
    confidence: float = 0.95
    capacity_share: float = 0.1


@dataclass(frozen=True)
class Candidate:
    """A kind of model and the values to try for its settings."""

    name: str
    grid: dict[str, list[Any]]

    def settings(self) -> list[dict[str, Any]]:
        """Every combination of the grid, in the order of the file."""
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]


@dataclass(frozen=True)
class Params:
    """The whole of params.yaml."""

    recipe: int
    windows: Windows
    split: Split
    minimum: Minimum
    seed: int
    sample: Sample
    tie_margin: float
    calibration: Calibration
    promotion: PromotionRule
    tracking: Tracking
    economics: Economics
    evaluation: Evaluation
    candidates: tuple[Candidate, ...]
    excluded: tuple[str, ...]
    segments: tuple[str, ...]
    signed_log_kinds: tuple[str, ...]
    features: tuple[Feature, ...]

    @property
    def feature_names(self) -> list[str]:
        """Names in the order in which the model takes them."""
        return [feature.name for feature in self.features]

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the content: comments and layout of the file do not count, nor where trainings are
        logged.
        """
        content = asdict(self)
        del content["tracking"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_features(file: Path = FEATURES_FILE) -> tuple[Feature, ...]:
    """The catalogue of features in the order of the file; InputError when it cannot be read."""
    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
        return tuple(Feature(**{**entry, "source": tuple(entry["source"])}) for entry in entries)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(f"{file.name}: cannot be read as a catalogue of features: {error}") from error


def load_params(file: Path = PARAMS_FILE, features_file: Path = FEATURES_FILE) -> Params:
    """Read and check a params file and its catalogue; raises InputError that names the entry at fault."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        params = Params(
            recipe=content.pop("recipe"),
            windows=Windows(**content.pop("windows")),
            split=Split(**content.pop("split")),
            minimum=Minimum(**content.pop("minimum")),
            seed=content.pop("seed"),
            sample=Sample(**content.pop("sample")),
            tie_margin=content.pop("choice")["tie_margin"],
            calibration=Calibration(**content.pop("calibration")),
            promotion=PromotionRule(**content.pop("promotion")),
            tracking=Tracking(**content.pop("tracking")),
            economics=Economics(**content.pop("economics")),
            evaluation=Evaluation(**content.pop("evaluation")),
            candidates=tuple(Candidate(**entry) for entry in content.pop("candidates")),
            excluded=_words(content, "excluded"),
            segments=_words(content, "segments"),
            signed_log_kinds=_words(content, "signed_log_kinds"),
            features=load_features(features_file),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file.name}: cannot be read as churn parameters: {error}") from error
    if content:
        raise InputError(f"{file.name}: unknown entries {', '.join(sorted(content))}; remove or rename them")
    _check(params, file.name)
    return params


def _words(content: dict[str, Any], name: str) -> tuple[str, ...]:
    words = content.pop(name)
    # A single word would be taken for a list of its letters.
    if not isinstance(words, list):
        raise TypeError(f"{name} must list words, as in [{words}]")
    return tuple(words)


def _faults_of_type(params: Params) -> Iterator[str]:
    """Entries that are not of the type that their field declares, in words."""
    for section in fields(params):
        value = getattr(params, section.name)
        inner = fields(value) if is_dataclass(value) else ()
        declared = [(f"{section.name}: {one.name}", one.type, getattr(value, one.name)) for one in inner]
        for name, kind, found in declared or [(section.name, section.type, value)]:
            if kind is bool and not isinstance(found, bool):
                yield f"{name} must be true or false, not {found!r}"
            if kind is int and (not isinstance(found, int) or isinstance(found, bool)):
                yield f"{name} must be a whole number, not {found!r}"
            if kind is float and not _is_finite_number(found):
                yield f"{name} must be a number, not {found!r}"


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _check(params: Params, file_name: str) -> None:
    for fault in _faults_of_type(params):
        raise InputError(f"{file_name}: {fault}")
    if params.calibration.method != "sigmoid":
        raise InputError(
            f"{file_name}: calibration: method must be sigmoid: reasons add up on log-odds that it alone "
            "keeps a straight line"
        )
    if not 0 <= params.seed < 2**32:
        raise InputError(f"{file_name}: seed must be 0 to 4294967295")
    strange = sorted(set(params.signed_log_kinds) - KINDS)
    if strange:
        raise InputError(
            f"{file_name}: signed_log_kinds: unknown kinds {', '.join(strange)}; known are "
            f"{', '.join(sorted(KINDS))}"
        )
    if not params.candidates:
        raise InputError(f"{file_name}: candidates: one candidate at least")
    for candidate in params.candidates:
        if not isinstance(candidate.grid, dict):
            raise InputError(
                f"{file_name}: candidate {candidate.name}: grid must name settings; {{}} is none"
            )
        for key, values in candidate.grid.items():
            if not isinstance(values, list) or not values:
                raise InputError(
                    f"{file_name}: candidate {candidate.name}: {key} must list one value at least, as in [1]"
                )
    names = params.feature_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{file_name}: features declared twice: {', '.join(repeated)}")
    protected = sorted(set(names) & set(params.excluded))
    if protected:
        raise InputError(f"{file_name}: excluded by policy and declared as features: {', '.join(protected)}")
    if min(params.windows.observation_days, params.windows.outcome_days) < 1 or params.windows.gap_days < 0:
        raise InputError(f"{file_name}: windows: observation and outcome need a day at least, the gap none")
    if params.split.test_snapshots < 1 or params.minimum.test_churners < 1 or params.calibration.folds < 2:
        raise InputError(f"{file_name}: one test snapshot, one test churner, two calibration folds at least")
    rule = params.promotion
    if min(rule.calibration_tolerance, rule.group_tolerance) < 0 or rule.group_churners < 1:
        raise InputError(
            f"{file_name}: promotion: tolerances must not be negative, group_churners 1 at least"
        )
    if params.split.choice_folds < 1:
        raise InputError(f"{file_name}: one choice fold at least")
    if params.sample.max_rows < 1:
        raise InputError(f"{file_name}: sample: max_rows must be a number of rows, one at least")
    money = params.economics
    if not 0 <= money.incentive_cost < money.lifetime_value or money.contact_cost < 0:
        raise InputError(
            f"{file_name}: economics: costs must not be negative, and a kept customer must be worth more "
            "than the incentive"
        )
    if min(money.acceptance_alpha, money.acceptance_beta) <= 0:
        raise InputError(f"{file_name}: economics: both parameters of the Beta distribution must be positive")
    judged = params.evaluation
    if judged.draws < 1 or not 0 < judged.confidence < 1 or not 0 < judged.capacity_share <= 1:
        raise InputError(
            f"{file_name}: evaluation: one draw at least, confidence between 0 and 1, capacity_share "
            "above 0 and 1 at most"
        )
    for feature in params.features:
        if feature.kind not in KINDS or feature.sign not in (-1, 0, 1):
            raise InputError(
                f"{file_name}: feature {feature.name}: kind must be one of {', '.join(sorted(KINDS))}, "
                "and sign -1, 0 or 1"
            )
