"""minigan export: a model taken along, to PyTorch, to ONNX, or as a page that needs no server."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from ..files import check_suffix, write_atomically


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("export", help="take a model along: to PyTorch, to ONNX, as a page without a server")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model's file, a run's folder, or what is bundled: digits, denoise, emoji, heads, mnist, ...",
    )
    where = parser.add_argument_group("where to, at least one of")
    where.add_argument(
        "--torch", metavar="FILE", help="weights in PyTorch's names (.safetensors); prints how to load them"
    )
    where.add_argument("--onnx", metavar="FILE", help="an ONNX file (.onnx), compared with onnxruntime")
    where.add_argument("--html", metavar="FILE", help="a page to explore it offline (.html)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from ..export import find, open_subject

    targets = {"--torch": (args.torch, ".safetensors"), "--onnx": (args.onnx, ".onnx"), "--html": (args.html, ".html")}
    if not any(file for file, _ in targets.values()):
        raise InputError("export to what? Give at least one of --torch FILE, --onnx FILE, --html FILE")
    source = find(args.model).resolve()
    taken = {source: "the model"}
    for option, (file, suffix) in targets.items():
        if file is not None:
            check_suffix(file, suffix, *([".htm"] if suffix == ".html" else []))
            if (path := Path(file).resolve()) in taken:
                raise InputError(f"{option} {file} would overwrite {taken[path]}: choose another name")
            taken[path] = f"what {option} writes"
    subject = open_subject(source)
    if args.torch:
        from ..export.pytorch import to_pytorch

        content, lines, compared = to_pytorch(subject, args.torch)
        write_atomically(args.torch, content)
        print(f"# {args.torch}: {len(content) / 1e6:.1f} MB; {compared}\n{lines}")
    if args.onnx:
        from ..export.onnx import to_onnx

        content, compared = to_onnx(subject)
        write_atomically(args.onnx, content)
        print(f"{args.onnx}: {len(content) / 1e6:.1f} MB; {compared}")
    if args.html:
        from ..explore.offline import to_html

        content = to_html(subject)
        write_atomically(args.html, content)
        print(f"{args.html}: {len(content) / 1e6:.1f} MB; open it in a browser, no network is needed")
