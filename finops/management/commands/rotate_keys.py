"""`manage.py rotate_keys`: new keys, everything sealed moved under them, old keys retired. See docs/security.md."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from finops import seals
from finops.embedded.home import replace_file
from finops.rings import OVERLAP, RINGS, RingFile, new_key_id, new_secret_key, secret_key_steps

FIELD = RINGS[0]
_STEPS = """\
# 1. Into the secret store, for every process; restart them one after the other. (Where the rings are mounted files,
#    wait until every machine has them: nothing restarts.) All can then read what the new keys will seal.
{added}
# 2. The same again, with these. From now on the new keys encrypt and sign.
{promoted}
# 3. python manage.py rotate_keys
# 4. {minutes} minutes after step 2: python manage.py rotate_keys --retire
"""
_STEPS_OF_DJANGOS = """\
# 1. Into the secret store; restart web one after the other. All accept then what the new secret will sign.
{added}
# 2. The same again, with these: the new secret signs, and staff stay signed in.
{promoted}
# 3. After 12 hours, the life of a session: the same without FINOPS_SECRET_KEY_FALLBACKS.
"""


class Command(BaseCommand):
    help = (
        "Put everything that is sealed under the current field key, in batches; ended anywhere, it goes on when it is "
        "run again. Exit code 1 while anything is left under another key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--new", action="store_true", help="make new keys, and put them first")
        what.add_argument("--status", action="store_true", help="count what is under which key, change nothing")
        what.add_argument("--retire", action="store_true", help="take away the keys that nothing needs any more")
        choices = [ring.name for ring in RINGS]
        parser.add_argument("--only", choices=[*choices, "secret"], help="one ring, or Django's secret; else the rings")
        parser.add_argument("--to", type=Path, help="where rings of a secret store go: a new file for its owner alone")

    def handle(self, *_args: Any, **options: Any) -> None:
        rings = [ring for ring in RINGS if ring.is_here and options["only"] in (None, ring.name)]
        if options["only"] == "secret":
            self._make_secret(options)
        elif options["new"]:
            self._make_keys(rings, options["to"])
        elif options["retire"]:
            self._retire(rings, options["to"])
        else:
            if not options["status"]:
                self._renew()
            self._report()

    def _make_keys(self, rings: list[RingFile], to: Path | None) -> None:
        key_id, added, promoted = new_key_id(clock.now()), [], []
        for ring in rings:
            with_last, with_first = ring.with_new_key(key_id)
            if ring.file:
                ring.replace(with_first)
                self.stdout.write(f"{ring.variable}: {key_id} is the current key of every process from now on.")
            else:
                added.append(f"{ring.variable}={with_last}")
                promoted.append(f"{ring.variable}={with_first}")
        if added:
            minutes = int(OVERLAP.total_seconds() / 60)
            self._hand_over(_STEPS.format(added="\n".join(added), promoted="\n".join(promoted), minutes=minutes), to)
        else:
            self.stdout.write("Next: manage.py rotate_keys")

    def _make_secret(self, options: dict[str, Any]) -> None:
        if not options["new"]:
            raise CommandError("FINOPS_SECRET_KEY seals no row: there is only --new for it.")
        if new_secret_key():
            self.stdout.write("FINOPS_SECRET_KEY is new, and the old one a fallback, when the platform starts next.")
        else:
            added, promoted = secret_key_steps()
            self._hand_over(_STEPS_OF_DJANGOS.format(added=added, promoted=promoted), options["to"])

    def _renew(self) -> None:
        for progress in seals.renew_all():
            passed_over = progress.seen - progress.moved
            told = f", {passed_over:,} passed over" if passed_over else ""
            self.stdout.write(f"{progress.table.name}: {progress.moved:,} moved{told}")
            self.stdout.flush()

    def _report(self) -> None:
        counts, (current, *others) = seals.count_all(), FIELD.key_ids
        known = sorted({key_id for by_key in counts.values() for key_id in by_key} - {current, *others})
        for key_id in [current, *others, *known]:
            rows = {name: by_key[key_id] for name, by_key in counts.items() if key_id in by_key}
            role = "current" if key_id == current else "old" if key_id in others else "not in the ring: opens no more"
            told = ", ".join(f"{count:,} {name}" for name, count in rows.items()) or "nothing"
            self.stdout.write(f"field {key_id} ({role}): {told}")
        for ring in filter(lambda ring: ring.is_here, RINGS):
            self.stdout.write(self._outlook(ring, left=_left(counts, current) if ring is FIELD else 0))
        if _left(counts, current):
            sys.exit(1)

    def _outlook(self, ring: RingFile, *, left: int) -> str:
        current, *others = ring.key_ids
        if not others:
            return f"{ring.variable}: {current} alone; nothing to retire."
        if left:
            return f"{ring.variable}: {left:,} rows are left; {', '.join(others)} must stay. Run rotate_keys again."
        at = ring.retirable_at()
        if at is None:
            when = f"{OVERLAP.total_seconds() / 60:.0f} minutes after the last process has taken {current}"
        else:
            when = "now" if at <= clock.now() else f"from {at:%H:%M:%S} UTC"
        return f"{ring.variable}: {', '.join(others)} may go {when}: rotate_keys --retire"

    def _retire(self, rings: list[RingFile], to: Path | None) -> None:
        left = _left(seals.count_all(), FIELD.key_ids[0]) if FIELD in rings else 0
        if left:
            raise CommandError(f"{left:,} rows are under other keys than {FIELD.key_ids[0]}: run rotate_keys first.")
        waiting = [
            (at, ring) for ring in rings if (at := ring.retirable_at()) and at > clock.now() and ring.key_ids[1:]
        ]
        if waiting:
            at, ring = max(waiting, key=lambda pair: pair[0])
            raise CommandError(f"{ring.variable} changed lately: its old keys are needed until {at:%H:%M:%S} UTC.")
        for ring in rings:
            if ring.file and ring.key_ids[1:]:
                gone = ", ".join(ring.key_ids[1:])
                ring.replace(ring.current_alone())
                self.stdout.write(f"{ring.variable}: {gone} is retired. Backups from before still need it.")
        rest = [f"{ring.variable}={ring.current_alone()}" for ring in rings if not ring.file and ring.key_ids[1:]]
        if rest:
            self._hand_over("\n".join(rest) + "\n", to)

    def _hand_over(self, text: str, to: Path | None) -> None:
        """Write secrets where they stay with the operator: never into a pipe, whose other end may be a log."""
        if to is not None:
            if to.exists():
                raise CommandError(f"{to} exists; name a new file.")
            replace_file(to, text)
            self.stdout.write(f"Written to {to}, which nobody else can read. Delete it once the secret store has it.")
        elif self.stdout.isatty():
            self.stdout.write(text)
        else:
            raise CommandError("These are secrets, and this is no terminal: name a file with --to.")


def _left(counts: dict[str, dict[str, int]], current: str) -> int:
    return sum(count for by_key in counts.values() for key_id, count in by_key.items() if key_id != current)
