"""`make bench`: what Trace takes and how fast it is, measured from outside and printed beside its goals.

`command_line` reads the command line, and `groups` has a file for each group of figures. `figures` is the table, and
`page` writes it into `docs/performance.md`; `processes` starts and ends whatever runs; `server`, `client` and `mlflow`
are what is measured, `wrk` and `slow_clients` what asks them, and `seeding` fills their databases.
"""
