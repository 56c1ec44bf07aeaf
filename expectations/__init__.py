"""Great Expectations suites, one module a boundary, and the runner that records what they found."""
