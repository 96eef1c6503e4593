"""Three exercises for each chapter of docs/learn: a task with a gap, and what finds out whether it is filled right."""

from . import chapter1, chapter2, chapter3, chapter4, chapter5, chapter6, chapter7, chapter8, chapter9
from .exercise import Exercise, Wrong, check

EXERCISES: dict[str, Exercise] = {
    exercise.number: exercise
    for chapter in (chapter1, chapter2, chapter3, chapter4, chapter5, chapter6, chapter7, chapter8, chapter9)
    for exercise in chapter.EXERCISES
}

__all__ = ["EXERCISES", "Exercise", "Wrong", "check"]
