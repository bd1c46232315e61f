"""Authenticators and recovery codes: each code once, seeds sealed to their row, codes kept as hashes."""

import base64
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django_otp.models import Device

from apps.core import clock, crypto
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.users.models import Authenticator, RecoveryCodes, User
from apps.users.recovery import is_recovery_code
from apps.users.services import AUTHENTICATOR_SEEDS, add_totp_device, remove_all_factors, spend_code
from apps.users.services.factors import make_recovery_codes
from tests.backoffice.staff import code_of, wait_for_fresh_period
from tests.factories.users import make_user
from tests.tenants.records import leaves
from tests.threads import at_once

ACTOR = system_actor("tests")
NEW_KEY = "k2:" + base64.b64encode(b"field-key-for-the-test-suite-002").decode()


def enrolled(username: str = "ada") -> tuple[User, Authenticator]:
    user = make_user(username)
    return user, add_totp_device(user=user, actor=ACTOR, now=clock.now())


def given_codes(user: User) -> list[str]:
    with staff_scope():
        return make_recovery_codes(user, ACTOR, clock.now())


def spend(user: User, code: str) -> Device | None:
    return spend_code(user=user, code=code, actor=ACTOR, now=clock.now())


@pytest.mark.parametrize(("ahead", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_period_off(ahead: int, accepted: bool) -> None:
    user, device = enrolled()
    wait_for_fresh_period(device)
    assert (spend(user, code_of(device, ahead=ahead)) == device) is accepted


def test_a_code_may_be_typed_as_apps_show_it() -> None:
    user, device = enrolled()
    code = code_of(device)
    assert spend(user, f" {code[:3]} {code[3:]} ") == device


def test_a_code_and_every_earlier_one_is_used_up() -> None:
    user, device = enrolled()
    wait_for_fresh_period(device)
    assert spend(user, code_of(device)) == device
    for ahead in (0, -1):
        Authenticator.objects.update(throttling_failure_count=0)
        assert spend(user, code_of(device, ahead=ahead)) is None
    Authenticator.objects.update(throttling_failure_count=0)
    assert spend(user, code_of(device, ahead=1)) == device


def test_the_code_of_one_device_makes_no_other_wait() -> None:
    user, first = enrolled()
    second = add_totp_device(user=user, actor=ACTOR, now=clock.now())
    wait_for_fresh_period(first)
    assert spend(user, code_of(second)) == second
    assert spend(user, code_of(first)) == first
    assert spend(user, "000000") is None
    assert set(Authenticator.objects.values_list("throttling_failure_count", flat=True)) == {1}


def test_the_code_of_somebody_else_is_none(now: datetime) -> None:
    _ada, device = enrolled()
    assert spend(enrolled("eve")[0], code_of(device)) is None


@pytest.mark.commits
@pytest.mark.parametrize("kind", ["authenticator", "recovery code"])
def test_of_ten_requests_with_one_code_one_gets_it(kind: str) -> None:
    user, device = enrolled()
    wait_for_fresh_period(device)
    code = code_of(device) if kind == "authenticator" else given_codes(user)[0]
    spent = at_once(lambda _request: spend(user, code) is not None, range(10))
    assert sorted(spent) == [False] * 9 + [True]


class TestSeeds:
    def test_no_row_holds_a_seed_that_can_be_read(self) -> None:
        _user, device = enrolled()
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM users_authenticator")
            row = [
                bytes(value) if isinstance(value, memoryview) else str(value).encode() for value in cursor.fetchone()
            ]
        seed = device.seed
        assert len(seed) == 20
        forms = [seed, seed.hex().encode(), base64.b32encode(seed), base64.b64encode(seed)]
        assert [form for form in forms for value in row if form in value] == []

    def test_a_seed_moved_to_another_row_opens_nothing(self) -> None:
        _ada, theirs = enrolled()
        eve, own = enrolled("eve")
        Authenticator.objects.filter(id=own.id).update(sealed_seed=theirs.sealed_seed)
        with pytest.raises(crypto.DecryptionFailed):
            spend(eve, code_of(theirs))

    def test_seeds_move_under_the_new_key_and_what_cannot_be_opened_is_passed_over(self, settings: Any) -> None:
        seeds = {device.id: device.seed for _user, device in map(enrolled, ("ada", "bob", "eve"))}
        broken, *_good = sorted(seeds)
        Authenticator.objects.filter(id=broken).update(sealed_seed=b"t1|nothing that opens")
        settings.FIELD_KEYS = f"{NEW_KEY},{settings.FIELD_KEYS}"
        assert list(AUTHENTICATOR_SEEDS.renew(now=clock.now, limit=2)) == [(2, 1), (1, 1)]
        settings.FIELD_KEYS = NEW_KEY
        moved = {device.id: device.seed for device in Authenticator.objects.filter(key_id="k2")}
        assert moved == {key: seed for key, seed in seeds.items() if key != broken}


class TestRecoveryCodes:
    def test_ten_codes_of_120_bits_are_kept_as_hashes(self) -> None:
        codes = given_codes(make_user("ada"))
        assert len(set(codes)) == 10
        assert all(is_recovery_code(code) for code in codes)
        assert [len(code) for code in codes] == [29] * 10
        with connection.cursor() as cursor:
            cursor.execute("SELECT hashes::text FROM users_recoverycodes")
            stored = cursor.fetchone()[0]
        assert [code for code in codes if code in stored or code.replace("-", "") in stored] == []

    def test_each_works_once_however_it_is_typed_and_leaves_a_leaf(self) -> None:
        user, _device = enrolled()
        codes = given_codes(user)
        assert spend(user, codes[3]) == RecoveryCodes.objects.get()
        assert spend(user, codes[3]) is None
        assert spend(user, codes[4].upper().replace("-", " ")) is not None
        assert leaves(None)[2:] == [
            ("user.recovery_codes_made", {"left": [0, 10]}),
            ("user.recovery_code_used", {"left": [10, 9]}),
            ("user.recovery_code_used", {"left": [9, 8]}),
        ]

    def test_a_wrong_one_makes_no_authenticator_wait(self) -> None:
        user, device = enrolled()
        given_codes(user)
        assert spend(user, "aaaa-bbbb-cccc-dddd-eeee-ffff") is None
        assert spend(user, code_of(device)) == device

    def test_new_ones_end_the_old_ones(self) -> None:
        user, _device = enrolled()
        old = given_codes(user)
        assert spend(user, old[0]) is not None
        new = given_codes(user)
        assert spend(user, old[1]) is None
        assert spend(user, new[1]) is not None
        assert leaves(None)[4] == ("user.recovery_codes_made", {"left": [9, 10]})


def test_an_operator_takes_everything_away(now: datetime) -> None:
    user, device = enrolled()
    codes = given_codes(user)
    code = code_of(device)
    assert remove_all_factors(user=user, actor=ACTOR, now=now) == 1
    assert (spend(user, code), spend(user, codes[0])) == (None, None)
    assert leaves(None)[-1] == ("user.second_factor_removed", {"factors": [1, 0]})
