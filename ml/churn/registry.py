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
    """`model_version` is the champion for as-of dates from `as_of_date` (of its training) until the next
    promotion.
    """

    model_version: str
    as_of_date: date
    reason: str


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

    def promote(self, promotion: Promotion) -> None:
        """Add to the log and switch in one step; a promotion already there is left as it is."""
        log = self.promotions()
        if any(entry.model_version == promotion.model_version for entry in log):
            return
        log = sorted([*log, promotion], key=lambda entry: entry.as_of_date)
        draft = self._log.with_suffix(".draft")
        draft.write_text(
            json.dumps([asdict(entry) for entry in log], indent=2, default=str) + "\n", encoding="utf-8"
        )
        draft.replace(self._log)


_RETRAIN = "run `python -m ml.churn train` (the DAG churn_training)"


def beats(
    challenger: dict[str, Any], champion: dict[str, Any], calibration_tolerance: float
) -> tuple[bool, str]:
    """Whether the challenger takes over, by metrics() of both on one test part, and why."""
    gain = challenger["average_precision"] - champion["average_precision"]
    loss = challenger["calibration_error"] - champion["calibration_error"]
    figures = ", ".join(
        f"{name.replace('_', ' ')} {challenger[name]:.4f} against {champion[name]:.4f}"
        for name in ("average_precision", "calibration_error")
    )
    if gain <= 0:
        return False, f"not better out of time: {figures}"
    if loss > calibration_tolerance:
        return False, f"better out of time, worse calibrated: {figures}"
    return True, f"better out of time: {figures}"


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"the model registry has no {file.parent.name}/{file.name}; {_RETRAIN}") from error
