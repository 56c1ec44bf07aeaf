"""What the rows of a version have to be to each other; each rule gives the row at fault and what to do."""
