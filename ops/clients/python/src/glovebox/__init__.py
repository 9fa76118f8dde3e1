"""A client of Glovebox, which runs code that nobody trusts.

    from glovebox import Glovebox

    with Glovebox.from_env() as box:
        print(box.run("print(6 * 7)", language="python").stdout)

`AsyncGlovebox` is the same for programs with an event loop.
"""

from . import _schema, errors, models
from ._schema import *  # noqa: F403
from .client import AsyncGlovebox
from .errors import *  # noqa: F403
from .models import *  # noqa: F403
from .sync import Glovebox

__all__ = ["AsyncGlovebox", "Glovebox"]
__all__ += _schema.__all__
__all__ += errors.__all__
__all__ += models.__all__
