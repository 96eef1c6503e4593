class CompileException(Exception):  # noqa: N818 (CuPy's name)
    def __init__(self, message: str, source: str, name: str, options: tuple[str, ...], backend: str) -> None:
        super().__init__(message)
        self.source, self.name, self.options, self.backend = source, name, options, backend
