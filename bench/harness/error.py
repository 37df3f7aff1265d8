"""What a person can do something about: printed as one plain line, without a traceback."""


class BenchError(Exception):
    pass
