"""The model registry: one folder a version, and champions.json, the log of promotions by training date.

A folder is complete or absent, and never changes. The log is replaced whole, so a reader sees the old or the
new champion.
"""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import ZIP_DEFLATED

import skops.io
from sklearn.base import ClassifierMixin
from sklearn.exceptions import InconsistentVersionWarning

from ml.churn.errors import InputError
from ml.churn.nodes import are_sound
from ml.churn.params import Feature, PromotionRule

MODEL, EVALUATION = "model.skops", "evaluation.skops"
# What the model was fitted on, as frozen bins (ml/churn/monitor/reference.py).
REFERENCE = "reference.json"

# Beyond what skops trusts by itself; a file that names any other type is not loaded.
TRUSTED_TYPES = [
    "ml.churn.leaves.LogOddsForest",
    "ml.churn.leaves.LogOddsTree",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    # Its nodes are not checked when it predicts: nodes.py checks them when it is loaded.
    "sklearn.tree._tree.Tree",
]


@dataclass(frozen=True)
class Promotion:
    """`model_version` is the champion for as-of dates from `as_of_date` (of its training, or of the roll-back
    to it) until the next promotion. `author`: who rolled back; None where the rule promoted.
    """

    model_version: str
    as_of_date: date
    reason: str
    author: str | None = None
    is_rollback: bool = False


@dataclass(frozen=True)
class Period:
    """`model_version` scores as-of dates from `first_date` up to and without `end_date` (None: open)."""

    model_version: str
    first_date: date
    end_date: date | None


class Registry:
    """The models of one bank under `root` (settings.models_dir)."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist yet."""
        self.root = root
        self._log = root / "champions.json"

    def save(
        self,
        version: str,
        models: dict[str, ClassifierMixin],
        metadata: dict[str, Any],
        texts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the models and other texts (by file name) and metadata.json as the folder `version`, which
        must not exist yet.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.root))
        try:
            hashes = {}
            for file_name, model in models.items():
                skops.io.dump(model, draft / file_name, compression=ZIP_DEFLATED)
                hashes[file_name] = _sha256(draft / file_name)
            for file_name, content in texts.items():
                (draft / file_name).write_text(content, encoding="utf-8")
                hashes[file_name] = _sha256(draft / file_name)
            text = json.dumps(metadata | {"files": hashes}, indent=2, sort_keys=True, ensure_ascii=False)
            (draft / "metadata.json").write_text(text + "\n", encoding="utf-8")
            draft.chmod(0o755)
            draft.rename(self.root / version)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def load(self, version: str, file_name: str = MODEL) -> ClassifierMixin:
        """A model as it was saved; InputError when it is damaged, of unexpected types or of another
        scikit-learn.
        """
        file = self.root / version / file_name
        if _sha256(file) != self.metadata(version)["files"][file_name]:
            raise InputError(f"model {version}: {file_name} is not the file that was registered; {_RETRAIN}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", InconsistentVersionWarning)
                model = skops.io.load(file, trusted=TRUSTED_TYPES)
        except InconsistentVersionWarning as error:
            raise InputError(
                f"model {version} was saved by scikit-learn {error.original_sklearn_version}, and this is "
                f"{error.current_sklearn_version}: its predictions are not warranted; {_RETRAIN}"
            ) from error
        except (skops.io.exceptions.UntrustedTypesFoundException, TypeError) as error:
            raise InputError(
                f"model {version}: {file_name} holds types that are not expected: {error}"
            ) from error
        if not are_sound(model):
            raise InputError(f"model {version}: {file_name} holds trees that lead nowhere; {_RETRAIN}")
        return model

    def metadata(self, version: str) -> dict[str, Any]:
        """metadata.json of a version; InputError when the folder or the file is missing."""
        try:
            content: dict[str, Any] = json.loads(
                (self.root / version / "metadata.json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"model {version} has no readable metadata.json in the registry; {_RETRAIN}"
            ) from error
        return content

    def features(self, version: str) -> list[Feature]:
        """The features that a version was trained on, in its order; InputError as `metadata`."""
        return [Feature(**entry) for entry in self.metadata(version)["features"]]

    def reference(self, version: str) -> dict[str, Any] | None:
        """What the model was fitted on, as reference() gave it; None for a model stored without. InputError
        when the file is not the one that was registered.
        """
        registered = self.metadata(version)["files"].get(REFERENCE)
        if registered is None:
            return None
        file = self.root / version / REFERENCE
        if _sha256(file) != registered:
            raise InputError(f"model {version}: {REFERENCE} is not the file that was registered; {_RETRAIN}")
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return content

    def versions(self) -> list[str]:
        """Registered versions in the order of their names, which begin with the training date."""
        return sorted(folder.parent.name for folder in self.root.glob("churn_*/metadata.json"))

    def promotions(self) -> list[Promotion]:
        """The log, by as-of date and then by order of promotion."""
        if not self._log.exists():
            return []
        try:
            entries = json.loads(self._log.read_text(encoding="utf-8"))
            return [
                Promotion(**entry | {"as_of_date": date.fromisoformat(entry["as_of_date"])})
                for entry in entries
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{self._log.name} of the model registry is damaged: {error}") from error

    def standing(self, as_of_date: date) -> Promotion | None:
        """The champion as it stood at `as_of_date`: a model trained later must not score that day."""
        promoted = [entry for entry in self.promotions() if entry.as_of_date <= as_of_date]
        return promoted[-1] if promoted else None

    def taken_off(self, version: str) -> Promotion | None:
        """The roll-back that went back to before this version; None where it stands, or others won later."""
        log = self.promotions()
        found = None
        for end, entry in enumerate(log, start=1):
            if version in _stack(log[:end]):
                found = None
            elif entry.is_rollback and version in _stack(log[: end - 1]):
                found = entry
        return found

    def periods(self) -> list[Period]:
        """When each champion stands, oldest first; one replaced for the very day it came has none."""
        log = self.promotions()
        ends = [entry.as_of_date for entry in log[1:]]
        return [
            Period(entry.model_version, entry.as_of_date, end)
            for entry, end in zip(log, [*ends, None], strict=False)
            if end is None or entry.as_of_date < end
        ]

    def promote(self, promotion: Promotion) -> None:
        """Add to the log and switch in one step; a promotion already there is left as it is."""
        log = self.promotions()
        if not any(entry.model_version == promotion.model_version for entry in log):
            self._write(log, promotion)

    def roll_back(self, to: str | None, as_of_date: date, *, reason: str, author: str) -> Promotion:
        """Put an earlier champion back from `as_of_date` on, as a new line of the log.

        `to`: its version; None: the champion before the one that stands. Raises InputError when the log goes
        on after that date (the past is not written anew), when there is no such champion, or when it cannot
        be loaded.
        """
        log = self.promotions()
        if log and as_of_date < log[-1].as_of_date:
            raise InputError(
                f"champions.json goes on to {log[-1].as_of_date} ({log[-1].model_version}): a roll-back as "
                f"of {as_of_date} would write the past anew; take {log[-1].as_of_date} or a later day"
            )
        known = _stack(log)
        if to is None:
            if len(known) < 2:
                raise InputError(
                    "no champion stood before the one that stands: there is nothing to go back to"
                )
            to = known[-2]
        elif to not in {entry.model_version for entry in log}:
            raise InputError(
                f"{to} has never been a champion; `python -m ml.churn models` lists those that were"
            )
        if to == known[-1]:
            raise InputError(f"{to} is the champion already")
        self.load(to)
        promotion = Promotion(to, as_of_date, reason, author, is_rollback=True)
        self._write(log, promotion)
        return promotion

    def _write(self, log: list[Promotion], promotion: Promotion) -> None:
        log = sorted([*log, promotion], key=lambda entry: entry.as_of_date)
        draft = self._log.with_suffix(".draft")
        text = json.dumps([asdict(entry) for entry in log], indent=2, default=str, ensure_ascii=False)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self._log)


def _stack(log: list[Promotion]) -> list[str]:
    """The champions one could go back to one by one, the standing one last: a roll-back takes off what came
    after the version that it goes back to.
    """
    known: list[str] = []
    for entry in log:
        if entry.is_rollback and entry.model_version in known:
            del known[known.index(entry.model_version) + 1 :]
        else:
            known.append(entry.model_version)
    return known


_RETRAIN = "run `python -m ml.churn train` (the DAG churn_training)"


def beats(challenger: dict[str, Any], champion: dict[str, Any], rule: PromotionRule) -> tuple[bool, str]:
    """Whether the challenger takes over, and why: more EMPC, and neither calibration nor the worst protected
    group worse by more than the rule allows.

    Each holds `test`, metrics() on the same rows, and `groups`, metrics() by member of each protected column.
    A group is compared where both have its AUC; without any, the other two decide.
    """
    better, worse = challenger["test"], champion["test"]
    said = [
        f"{name} {better[key]:.4f} against {worse[key]:.4f}"
        for name, key in (("EMPC", "empc"), ("calibration error", "calibration_error"))
    ]
    pairs = [
        (figures["auc"], champion["groups"].get(column, {}).get(member, {}).get("auc"), f"{column} {member}")
        for column, members in challenger["groups"].items()
        for member, figures in members.items()
        if figures["auc"] is not None and figures["churners"] >= rule.group_churners
    ]
    pairs = [pair for pair in pairs if pair[1] is not None]
    lost_in_group = 0.0
    if pairs:
        ours, theirs = min(pairs), min(pairs, key=lambda pair: pair[1])
        lost_in_group = theirs[1] - ours[0]
        said.append(f"AUC in the worst group {ours[0]:.4f} ({ours[2]}) against {theirs[1]:.4f} ({theirs[2]})")
    figures = ", ".join(said)
    if better["empc"] <= worse["empc"]:
        return False, f"not better out of time: {figures}"
    if better["calibration_error"] - worse["calibration_error"] > rule.calibration_tolerance:
        return False, f"better out of time, worse calibrated: {figures}"
    if lost_in_group > rule.group_tolerance:
        return False, f"better out of time, worse in the worst group: {figures}"
    return True, f"better out of time: {figures}"


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"the model registry has no {file.parent.name}/{file.name}; {_RETRAIN}") from error
