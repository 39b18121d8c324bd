"""A second implementation of the ledger format, in Python 3 with its standard library alone.

Written from docs/ledger-format.md, not from the library in ledger/: what the two disagree about is a fault of one of
them or of the document. It shares no code and no data with the other but the vectors that both must pass.
"""
