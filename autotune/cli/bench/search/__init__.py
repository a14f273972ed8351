"""`bench search`: searches that replay exhaustive tables instead of measuring."""
