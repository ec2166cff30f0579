"""The composition root: settings, adapters, logger, clock; wired when called, once a process.

``wiring`` needs most of the package: a command imports it while its source is being ingested, or never.
"""
