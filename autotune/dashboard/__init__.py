"""The dashboard: what a tuning database holds, in a browser, while it grows.

A page is a function of its address and the database; nothing is kept between two requests, and nothing is written.
"""

from autotune.dashboard.server import serve

__all__ = ["serve"]
