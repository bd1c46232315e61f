"""How long rows are kept. Every model names its class; the retention job and the privacy room act on it."""

from enum import StrEnum


class Retention(StrEnum):
    """A retention class. Periods are set per installation; the class says what kind of record it is."""

    BUSINESS = "business"  # as long as the tenant exists, then the statutory period
    EVIDENCE = "evidence"  # audit and events: append-only, statutory period
    OPERATIONAL = "operational"  # jobs, runs, deliveries: months
    EPHEMERAL = "ephemeral"  # idempotency records, sessions: until they expire
    IDENTITY = "identity"  # users: until erasure
    CONFIGURATION = "configuration"  # settings and switches: until changed
