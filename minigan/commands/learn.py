"""minigan learn: the chapters' exercises, and the chapters as notebooks."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from ..files import check_suffix, write_atomically


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("learn", help="exercises for the chapters of docs/learn, which become notebooks")
    parser.set_defaults(run=list_exercises)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    start = actions.add_parser("start", help="write a file with an exercise, which has a gap")
    start.add_argument("number", metavar="NUMBER", help="such as 3.2")
    start.add_argument("--out", metavar="FILE", help="(default: exercise-3.2.py)")
    start.set_defaults(run=start_exercise)
    check = actions.add_parser("check", help="run the checks of an exercise's file, and tell what is wrong")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(run=check_exercise)
    notebook = actions.add_parser("notebook", help="make a Jupyter notebook of a chapter")
    notebook.add_argument("chapter", type=int, metavar="CHAPTER", help="such as 3")
    notebook.add_argument("--out", metavar="FILE", help="(default: the chapter's name, .ipynb)")
    notebook.set_defaults(run=make_notebook)


def list_exercises(args: argparse.Namespace) -> None:
    from ..study.exercises import EXERCISES

    for number, exercise in EXERCISES.items():
        print(f"{number}  {exercise.title}")
    print("\npython -m minigan learn start 1.1     writes a file with a gap")
    print("python -m minigan learn check FILE    says what is wrong with it")


def start_exercise(args: argparse.Namespace) -> None:
    from ..study.exercises import EXERCISES

    exercise = EXERCISES.get(args.number)
    if exercise is None:
        raise InputError(f"there is no exercise {args.number}: choose one of {', '.join(EXERCISES)}")
    path = Path(args.out or f"exercise-{exercise.number}.py")
    check_suffix(path, ".py")
    if path.exists():
        raise InputError(f"{path} is there already: go on with it, or name another --out")
    write_atomically(path, exercise.file.encode())
    print(f"{path}: fill the gap, then\npython -m minigan learn check {path}")


def check_exercise(args: argparse.Namespace) -> int:
    from ..study.exercises import EXERCISES, check
    from ..study.exercises.exercise import HEAD

    path = Path(args.file)
    try:
        source = path.read_text(encoding="utf-8-sig")  # Windows' editor may begin it with a mark
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: there is no such file; python -m minigan learn start 1.1 writes one") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8") from None
    first = source.split("\n", 1)[0]
    exercise = EXERCISES.get(first.removeprefix(HEAD).split(":")[0]) if first.startswith(HEAD) else None
    if exercise is None:
        raise InputError(f"{path}: its first line does not name an exercise: leave it as `learn start` wrote it")
    wrong = check(exercise, path, source)
    print(f"{exercise.number} {exercise.title}: {'right' if wrong is None else f'not yet. {wrong}'}")
    return 0 if wrong is None else 1


def make_notebook(args: argparse.Namespace) -> None:
    from ..study.notebook import CHAPTERS, notebook

    found = sorted(CHAPTERS.glob(f"{args.chapter}-*.md")) if 0 < args.chapter < 10 else []
    if not found:
        known = ", ".join(sorted(path.name[0] for path in CHAPTERS.glob("[1-9]-*.md")))
        raise InputError(
            f"there is no chapter {args.chapter}: choose one of {known}" if known else
            "the chapters do not come with the installed package: clone the repository"
        )  # fmt: skip
    path = Path(args.out or f"{found[0].stem}.ipynb")
    check_suffix(path, ".ipynb")
    if path.exists():
        raise InputError(f"{path} is there already: name another --out")
    write_atomically(path, notebook(found[0]).encode())
    print(f"{path}: jupyter lab {path}")
