"""Synchronises a connection: plan, read, then one transaction that compares and applies.

    plan     what we hold, and hence how far back to read            apps.accounts.sync.plan
    read     the provider's side, without any transaction open       apps.accounts.sync.reading
    stage    rows to a temporary table, by COPY                      apps.accounts.sync.staging
    diff     what is new, changed and gone, in SQL                   apps.accounts.sync.diff
    believe  what is gone, and what the bank shows no longer         apps.accounts.sync.absence
    match    which new row took the place of which pending one       apps.accounts.sync.matching
    apply    the changes, set by set                                 apps.accounts.sync.applying
    hold     what the account holds beside money, where told       apps.accounts.sync.holdings
    record   audit leaf and events                                  apps.accounts.sync.recording

`run.synchronise` is the order in which they happen.
"""
