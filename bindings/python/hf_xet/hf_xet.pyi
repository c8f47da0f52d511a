from . import *  # noqa: F403
