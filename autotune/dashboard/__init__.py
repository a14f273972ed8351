"""The dashboard: what a tuning database holds, in a browser, while it grows."""
