"""What can go wrong, each with its exit code: the message is the whole of what the user sees."""


class InputError(Exception):
    """The input, the parameters or the registry do not fit: exit code 2."""

    exit_code = 2


class LeakError(Exception):
    """A feature knows the outcome: recorded in ops.training_runs, exit code 1."""

    exit_code = 1


class TooYoungError(Exception):
    """The bank's data cannot have given a model yet: an empty table is written, exit code 99."""


class NothingToTrainError(Exception):
    """The panel cannot carry a model: recorded in ops.training_runs, exit code 99."""

    def __init__(self, outcome: str, reason: str) -> None:
        """`outcome` is a value of ops.training_runs.outcome; `reason` a sentence for people."""
        super().__init__(reason)
        self.outcome = outcome
