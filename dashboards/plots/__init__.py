"""The report's plots, a file a subject; `canvas` is what all are drawn with."""
