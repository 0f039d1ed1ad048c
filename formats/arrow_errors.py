"""What pyarrow raises for the bytes of a file that is damaged, or is not what it claims to be."""

from __future__ import annotations

import pyarrow as pa

# Names of columns are decoded by Python, and not before they are asked for.
ARROW_ERRORS: tuple[type[Exception], ...] = (pa.ArrowException, OSError, UnicodeDecodeError)
