"""Options that depend on others: each is a line of a table, and one that would do nothing is refused."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import InputError


class Needs(NamedTuple):
    """``option`` does something only where ``where`` says so; elsewhere it "does nothing ``otherwise``".

    The option is declared without a default, so that it can be seen whether it was given. ``default`` is what it is
    where it was not.
    """

    option: str
    where: Callable[[argparse.Namespace], bool]
    otherwise: str
    default: Any = None


def check(args: argparse.Namespace, *tables: tuple[Needs, ...]) -> None:
    """Refuse the first option that does nothing in this combination; give those that were left out their defaults.

    >>> table = (Needs("--every", lambda args: args.penalty is not None, "without --penalty: add that", default=1),)
    >>> args = argparse.Namespace(penalty=None, every=None)
    >>> check(args, table)
    >>> args
    Namespace(penalty=None, every=1)
    >>> check(args, table)
    Traceback (most recent call last):
    ...
    minigan.errors.InputError: --every 1 does nothing without --penalty: add that, or leave it out
    """
    rules = [rule for table in tables for rule in table]
    for rule in rules:
        value = getattr(args, _name(rule))
        if value not in (None, False) and not rule.where(args):
            raise InputError(f"{_shown(rule.option, value)} does nothing {rule.otherwise}, or leave it out")
    for rule in rules:
        if getattr(args, _name(rule)) is None:
            setattr(args, _name(rule), rule.default)


def dry_run(args: argparse.Namespace, **settings: Any) -> None:
    """What an example's --dry-run sets. An option that asks for something else beside it is refused."""
    for name, value in settings.items():
        given = getattr(args, name)
        if given is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{_shown(option, given)} does nothing beside --dry-run, which sets it: leave out one of them"
            )
        setattr(args, name, value)


def set_defaults(args: argparse.Namespace, **defaults: Any) -> None:
    """Give the options that were left out their values."""
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def _shown(option: str, value: Any) -> str:
    """As it was typed."""
    values = () if value is True else value if isinstance(value, list) else (value,)
    return " ".join(map(str, (option, *values)))


def _name(rule: Needs) -> str:
    return rule.option.lstrip("-").replace("-", "_")
