"""Python imports this by itself when it starts, since this folder is on PYTHONPATH."""

import network_guard

network_guard.install()
