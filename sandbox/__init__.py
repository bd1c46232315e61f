"""Simulate the providers' wire formats in one process, on one port, with fault injection.

    python -m sandbox --port 8010 --state DIR [--seed N] [--tls-cert F --tls-key F [--client-ca F]]

Each provider answers under its own path (`/teller`, ...) as its real host would; `/_control` steers.
The sandbox is the outside world: it imports nothing of the platform and the platform imports nothing of it.

State. Everything follows from a seed, the instant of the first start, and a journal of commands in DIR,
so it survives a restart and a `kill -9` at any instant. See `journal.py`.

Time. The sandbox's own ("virtual") clock runs with the real one and may be advanced, never turned back.
What happens at a virtual instant is dated on the wire with the real day on which it could first be seen.
See `clock.py`.

Faults, `POST /_control/faults` {provider, kind, rate | count, match}: the oldest fault that matches an
exchange and fires is the one that acts on it. `match` is a substring of "METHOD /path?query", the path
without the provider's prefix ("GET /accounts", "POST /v2/orders"); left out, it matches everything. `rate`
is the share of matching exchanges (0 < rate <= 1), `count` the number of next ones; with neither, all.

| kind            | what the client sees                                              | performed |
|-----------------|-------------------------------------------------------------------|-----------|
| `drop_response` | the connection is cut before the first byte of the answer         | yes       |
| `status:<code>` | 400 to 599 in the provider's own error shape                      | no        |
| `status:504`    | the gateway's time-out, after the provider has done the work      | yes       |
| `throttle`      | the provider's own way of saying "too many requests"              | no        |
| `delay:<ms>`    | the answer, late; the work is done before the wait                | yes       |
| `malformed`     | the answer's body cut in half, its headers consistent             | yes       |
| `duplicate`     | every row of a list answer twice in a row                         | yes       |
| `reorder`       | the rows of a list answer shuffled (reproducibly from the seed)   | yes       |

`duplicate` and `reorder` act on a JSON list, or on every list that is a member of a JSON object; any other
answer passes unchanged, and the fault counts as used.

Messages of a stream have the line "STREAM <stream> <event> <symbol>"; a fault acts on them only when its `match`
begins with "STREAM " and is the beginning of the line ("STREAM trade_updates", "STREAM trade_updates fill").
There `drop_response` loses the message, `duplicate` sends it twice, `reorder` sends it after the next one (or
after a second), `delay:<ms>` lets later ones overtake it, `malformed` cuts it in half; `status` and `throttle`
do nothing. On the request that opens a stream ("GET /stream") `status` and `throttle` act, the others do not.

Webhooks have the line "WEBHOOK <type>", and a fault acts on them when its `match` is the beginning of it ("WEBHOOK ",
"WEBHOOK transactions.processed"). `duplicate`, `reorder` and `delay:<ms>` do what they do to messages;
`drop_response` hangs up on the receiver's answer, and `malformed` sends half of the body at first, so that both are
tried again, under the same id. What is held back is lost when the sandbox stops.

Log, `GET /_control/log` ?provider= &since=: the last 20,000 exchanges, oldest first. `status` is what the
provider answered even when the answer was then cut; `performed` tells whether the provider carried the
request out (it was not refused, by a fault or by the provider itself); `request` is the body that arrived
(parsed where it is JSON), `query` its parameters. Credentials are not kept, connections to streams not logged.
"""
