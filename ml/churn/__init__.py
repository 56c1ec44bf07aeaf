"""Who is about to leave: train on matured month-ends, choose out of time, score with the champion only."""
