"""What the DAGs share: command lines as text, the operator that runs them, common arguments, the alert."""
