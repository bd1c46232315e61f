"""Database building blocks: the only module of ours that migrations import."""

from apps.core.db.constraints import TenantForeignKey
from apps.core.db.operations import AppendOnly, DefinerFunction, SecureTenantTable

__all__ = ["AppendOnly", "DefinerFunction", "SecureTenantTable", "TenantForeignKey"]
