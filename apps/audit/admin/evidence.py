"""An entry with all that proves it, as one file that an auditor verifies offline and without us."""

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.audit import finops_verify
from apps.audit.admin.proofs import Standing
from apps.audit.leaf import leaf_content
from apps.audit.opening import OpenedEntry
from apps.audit.selectors import public_keys

_COMMAND = "python3 finops_verify.py proof proof.json entry.json --checkpoint checkpoint.txt --key key.json"


def evidence_of(opened: OpenedEntry, standing: Standing) -> HttpResponse:
    """Return a ZIP of the entry, its proof, the checkpoint that it leads to, the keys and the program that verifies.

    The entry and the proof are as `GET /audit/entries` and `GET /audit/proof/{entry_id}` give them.
    """
    entry, proof, checkpoint = opened.entry, standing.proof, standing.checkpoint
    if proof is None or checkpoint is None:
        raise ValueError("nothing proves the entry")
    shown = {
        **leaf_content(entry),
        "actor": opened.actor,
        "changes": opened.changes,
        "sequence": entry.sequence,
        "salts": opened.salts,
        "leaf_hash": proof.leaf_hash.hex(),
    }
    path = {
        "entry_id": str(entry.pk),
        "index": proof.index,
        "tree_size": proof.tree_size,
        "leaf_hash": proof.leaf_hash.hex(),
        "path": [step.hex() for step in proof.path],
        "root_hash": proof.root_hash.hex(),
    }
    keys = [{"id": key.key_id, "vkey": str(key.verifier)} for key in public_keys(entry.tenant_id)]
    files = {
        "README.txt": _read_me(opened, standing, checkpoint.origin),
        "entry.json": _json(shown),
        "proof.json": _json(path),
        "checkpoint.txt": checkpoint.note,
        "key.json": _json({"origin": checkpoint.origin, "keys": keys}),
        "finops_verify.py": Path(finops_verify.__file__).read_text(),
    }
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    answer = HttpResponse(packed.getvalue(), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="evidence-{entry.pk}.zip"'
    return answer


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _read_me(opened: OpenedEntry, standing: Standing, origin: str) -> str:
    entry, size = opened.entry, standing.proof.tree_size if standing.proof else 0
    about = {
        "sequence": entry.sequence,
        "origin": origin,
        "action": entry.action,
        "at": f"{entry.at:%Y-%m-%d %H:%M:%S} UTC",
        "who": opened.label,
        "target": f"{entry.target_type} {entry.target_id}",
        "size": size,
        "command": _COMMAND,
    }
    text = _(
        "Entry %(sequence)s of the audit log %(origin)s\n"
        "%(action)s, %(at)s, by %(who)s, about %(target)s\n\n"
        "To verify it, with Python 3.10 or later and nothing else, offline:\n\n"
        "    %(command)s\n\n"
        "VERIFIED means: entry.json hashes to its leaf hash, and this leaf stands at this place among the\n"
        "%(size)s entries whose root checkpoint.txt has signed.\n\n"
        "Whose signature that is, key.json alone cannot show: compare it with the key that was kept when\n"
        "trust began, or with GET /api/v1/audit/public-key. finops_verify.py is short: read it.\n"
    )
    return text % about
