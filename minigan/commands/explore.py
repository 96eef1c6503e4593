"""minigan explore: a page on this machine, to move through a generator's latent space by hand."""

from __future__ import annotations

import argparse

from ..errors import InputError
from .arguments import add_backend, natural


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("explore", help="explore a model in the browser: sliders, breeding, paths")
    parser.add_argument(
        "model",
        nargs="?",
        default="digits",
        metavar="MODEL",
        help="a model's file, a run's folder, or what is bundled (default: digits)",
    )
    parser.add_argument("--port", type=natural, default=0, help="of 127.0.0.1 (default: one that is free)")
    parser.add_argument("--no-open", action="store_true", help="print the address, open no browser")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    import webbrowser

    from ..explore.server import Server
    from ..export import find, open_subject

    if args.port > 65535:
        raise InputError(f"--port {args.port} must be at most 65535")
    subject = open_subject(find(args.model).resolve(), args.backend)
    try:
        server = Server(subject, args.port)
    except OSError as error:
        raise InputError(
            f"--port {args.port} cannot be used ({error.strerror}): leave it out, or take another"
        ) from None
    with server:
        print(f"{server.address}\nthe page of {args.model}; Ctrl-C ends it", flush=True)
        if not args.no_open:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended")
