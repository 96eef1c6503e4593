"""Pictures put right: what there is to be done, the networks that are bundled for it, the way through a whole file."""

from .tasks import TASKS, Task

__all__ = ["TASKS", "Task"]
