"""Whom to trust, for all of this client's connections."""

import os
import ssl

TLS_CA = "GLOVEBOX_TLS_CA"
"""Names a PEM file with the authorities to trust instead of the system's."""


def authorities() -> str | None:
    """The file, if there is to be one."""
    return os.environ.get(TLS_CA) or None


def context() -> ssl.SSLContext:
    """Certificates are always checked."""
    return ssl.create_default_context(cafile=authorities())
