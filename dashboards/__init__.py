"""The static report and the closing table of a run, from published marts and ops tables only."""
