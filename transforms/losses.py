"""That an engine passed on all that a stage gave it.

An engine that loses what moves between two stages does not say so, and what is published would lack
it in silence. So stages that must agree count, and the job fails where they do not.
"""

from __future__ import annotations

from formats.errors import DataError


def demand_all(what: str, given: int, arrived: int) -> None:
    """Demands that as many came out of an engine as went into it.

    Args:
        what: what they are, and where they went, for the message.
        given: how many one stage gave on.
        arrived: how many the other got.

    Raises:
        DataError: they are not as many.
    """
    if given != arrived:
        raise DataError(
            f"{what}: expected {given:,}, found {arrived:,}; the engine lost or repeated some on "
            "their way, so nothing is published: build again, and if it comes again, with fewer "
            "workers or another --runner"
        )
