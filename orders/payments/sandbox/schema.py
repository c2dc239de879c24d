"""The tables of the provider's books. A script is never changed once it has been used: books on disk have run it."""

# `number` orders objects made within the same second. A charge is captured at most once per intent, by an index.
FIRST = """
CREATE TABLE IF NOT EXISTS intents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS charges (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    intent TEXT NOT NULL REFERENCES intents (id),
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    captured INTEGER NOT NULL CHECK (captured IN (0, 1)),
    decline_code TEXT
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS charges_captured_once ON charges (intent) WHERE captured = 1;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created INTEGER NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
"""

# A charge with neither `captured` nor a `decline_code` is still under way. More than was captured never goes back.
REFUNDS_AND_EVENTS = """
ALTER TABLE charges ADD COLUMN method TEXT NOT NULL DEFAULT 'pm_card_visa';
ALTER TABLE charges ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0
    CHECK (refunded BETWEEN 0 AND amount * captured);
CREATE INDEX charges_intent ON charges (intent);
CREATE TABLE refunds (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    charge TEXT NOT NULL REFERENCES charges (id),
    payment_intent TEXT NOT NULL REFERENCES intents (id),
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX refunds_charge ON refunds (charge);
CREATE INDEX refunds_intent ON refunds (payment_intent);
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    type TEXT NOT NULL,
    object TEXT NOT NULL,
    request_id TEXT,
    key TEXT,
    path TEXT,
    body TEXT NOT NULL,
    planned INTEGER NOT NULL DEFAULT 0 CHECK (planned IN (0, 1))
) STRICT;
CREATE INDEX events_not_planned ON events (number) WHERE planned = 0;
CREATE INDEX events_request ON events (request_id);
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL REFERENCES events (id),
    endpoint INTEGER NOT NULL,
    due REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    error TEXT,
    done REAL
) STRICT;
CREATE INDEX deliveries_due ON deliveries (due) WHERE done IS NULL;
CREATE INDEX deliveries_event ON deliveries (event);
CREATE TABLE promises (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    due REAL NOT NULL,
    reference TEXT NOT NULL UNIQUE
) STRICT;
"""

SCRIPTS = (FIRST, REFUNDS_AND_EVENTS)
