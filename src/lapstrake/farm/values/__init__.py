"""The farm's words as values: what the server keeps, sends and shows; what workers report.

They are plain frozen dataclasses: the same ones are built from rows, sent as JSON (pydantic reads
and writes dataclasses as they are) and held by the client. Times are seconds since 1970, sizes
are bytes.
"""
