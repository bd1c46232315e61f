"""An entry's place in its log's tree, as its page shows it: proved anew each time the page is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.audit.errors import NotInCheckpointYet
from apps.audit.leaf import compute_leaf_hash
from apps.audit.merkle import includes
from apps.audit.models import AuditCheckpoint, AuditEntry
from apps.audit.selectors import latest_checkpoint, prove_inclusion
from apps.audit.tree import TILE_HASHES, TreeDamaged
from apps.audit.types import InclusionProof
from apps.core.admin import Facts, Notice, Panel, Source, Stat, exact, link, number, record_url


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an entry is proved: the proof and the checkpoint that it leads to, or what is `wrong`."""

    proof: InclusionProof | None = None
    checkpoint: AuditCheckpoint | None = None
    wrong: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether no checkpoint covers it yet."""
        return self.proof is None and not self.wrong


def standing_of(entry: AuditEntry) -> Standing:
    """Prove an entry: from its content to its leaf hash, and from there to the root that was signed last."""
    if compute_leaf_hash(entry) != bytes(entry.leaf_hash):
        return Standing(wrong=_("What it says now is not what its leaf hash commits to."))
    try:
        checkpoint = latest_checkpoint(entry.tenant_id)
        if entry.sequence is None or entry.sequence > checkpoint.size:
            return Standing()
        # In the tree of this checkpoint: a busy log has a newer one before the page is drawn.
        proof = prove_inclusion(tenant_id=entry.tenant_id, entry_id=entry.pk, tree_size=checkpoint.size)
    except NotInCheckpointYet:
        return Standing()
    except TreeDamaged as error:
        return Standing(wrong=_("The tree of its log is damaged: %(error)s.") % {"error": error})
    root = bytes(checkpoint.root_hash)
    if not includes(leaf=proof.leaf_hash, index=proof.index, size=proof.tree_size, path=proof.path, root=root):
        return Standing(wrong=_("Its path does not lead to the root that was signed last."))
    return Standing(proof, checkpoint)


def proof_stat(standing: Standing) -> Stat:
    """Return the number of the strip that tells whether the entry is proved."""
    if standing.wrong:
        return Stat(_("Proof"), _("does not hold"), tone="bad")
    if standing.proof is None:
        return Stat(_("Proof"), _("not yet"), _("the next checkpoint covers it"), tone="info")
    size = number(standing.proof.tree_size)
    return Stat(_("Proof"), _("holds"), _("in a log of %(size)s") % {"size": size}, tone="ok")


def proof_notice(standing: Standing) -> Notice | None:
    """Return what to do about an entry that cannot be proved."""
    if not standing.wrong:
        return None
    remedy = _("Run manage.py verify for the whole log, and compare the entry with a backup and the tenant's export.")
    return Notice(_("This entry cannot be proved"), standing.wrong, remedy)


def proof_panels(standing: Standing) -> Sequence[Panel]:
    """Return the path to the root, and where the entry stands in the tree."""
    proof, checkpoint = standing.proof, standing.checkpoint
    if proof is None or checkpoint is None:
        return ()
    steps = "\n".join(f"{place:>2}  {step.hex()}" for place, step in enumerate(proof.path, start=1))
    tile, place = divmod(proof.index, TILE_HASHES)
    place_in_tree = Facts(
        _("Place in the tree"),
        [
            (_("index"), number(proof.index)),
            (_("tile"), f"{number(tile)} · {place}"),
            (_("hashes to the root"), number(len(proof.path))),
            (
                _("covered by"),
                link(
                    record_url("audit.auditcheckpoint", checkpoint.pk),
                    _("%(size)s entries") % {"size": number(checkpoint.size)},
                ),
            ),
            (_("signed"), exact(checkpoint.signed_at)),
        ],
    )
    return [
        Source(_("Path to the root, from the leaf upwards"), f"{steps}\n\n=>  {proof.root_hash.hex()}"),
        place_in_tree,
    ]
