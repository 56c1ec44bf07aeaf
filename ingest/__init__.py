"""Files to raw: contracts, sources, checking, loading, rejecting."""
