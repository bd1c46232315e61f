"""Names of what happens in the ops room."""

VERIFICATION_REQUESTED = "verification.requested"
# The kind of a tenant's incident, one for each check that has findings.
VERIFICATION_FINDINGS = "verification.findings"

CLEARING_REQUESTED = "dead_letters.clearing_requested"
CLEARING_STOPPED = "dead_letters.clearing_stopped"
