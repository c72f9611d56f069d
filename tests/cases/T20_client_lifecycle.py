"""What T20_client_lifecycle.test does, in a private host with both gateways."""
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from callers import *  # noqa: E402,F403
from follower import Follower, claims  # noqa: E402

EXCHANGE = 3
MANY = 100000


class Client:
    """One that has everything: sessions of people, tokens of its own, an API key, rows of exchange; and who knows it."""

    def __init__(self, doors, name):
        self.doors, self.name = doors, name
        self.front = "front-" + name
        rows = [{"from_audience": self.front, "to_audience": "demo", "scopes": ["read"]}]
        self.front_secret = self.add(self.front, grants=[EXCHANGE], audiences_owned=[self.front], exchanges=rows)
        self.register()

    def register(self):
        audiences = [{"audience": audience, "scopes": ["read", "write"]} for audience in ("demo", self.front)]
        rows = [{"from_audience": "at-" + self.name, "to_audience": "demo", "scopes": ["read"]}]
        self.secret = self.add(self.name, grants=[CREDENTIALS, REFRESH, EXCHANGE], audiences=audiences,
                               audiences_owned=["at-" + self.name], exchanges=rows)
        self.key = self.doors.reply("root", "ApiKey/CreateApiKey", client_id=self.name, label="test",
                                    audiences=[{"audience": "demo", "scopes": ["read"]}]).secret

    def add(self, client_id, **fields):
        return self.doors.reply("root", "Client/CreateClient", client={"client_id": client_id, "kind": CONFIDENTIAL, **fields}).secret

    def auth(self):
        return {"client_id": self.name, "secret": self.secret}

    def own_token(self, audience="demo", door="tls", **how):
        client = {"client_id": self.name, **how} if how else self.auth()
        return self.doors.ask(door, "Token/IssueToken", client=client, tokens={"audiences": [audience]})

    def begin(self):
        """Its things: [access tokens], [refresh tokens], a person's token that is meant for it."""
        access, refresh = [], []
        for user in ("alice", "alice", "bob"):
            grant = self.doors.login("P1", user)
            hand_to(self.name, grant.session_id)
            grant = self.doors.reply("tls", "Token/RefreshToken", client=self.auth(), refresh_token=grant.refresh_token).grant
            access.append(grant.access_token)
            refresh.append(grant.refresh_token)
        access += [self.own_token().reply.grant.access_token, self.own_token(api_key=self.key).reply.grant.access_token]
        handed = self.own_token(self.front).reply.grant.access_token
        front = {"client_id": self.front, "secret": self.front_secret}
        access.append(self.doors.reply("tls", "Token/ExchangeToken", client=front, subject_token=handed,
                                       tokens={"audiences": ["demo"]}).grant.access_token)
        meant = self.doors.login("P1", "bob", "at-" + self.name).access_token
        access.append(self.exchange(meant).reply.grant.access_token)
        return access, refresh, meant

    def exchange(self, token, door="tls"):
        return self.doors.ask(door, "Token/ExchangeToken", client=self.auth(), subject_token=token, tokens={"audiences": ["demo"]})


def active(doors, token, door="tls"):
    return doors.reply(door, "Token/IntrospectToken", token=token, client=auth("demo")).active


def all_over(doors, client, access, refresh, meant):
    for door in doors.ALL:
        for token in access:
            assert not active(doors, token, door), f"All inactive from the moment that it returns ({door}): {claims(token)}"
        for token in refresh:
            answer = doors.ask(door, "Token/RefreshToken", client=client.auth(), refresh_token=token)
            assert answer.reason == "INVALID_CLIENT", f"refused: refresh: {answer.reason}"
        assert client.exchange(meant, door).reason == "INVALID_CLIENT", "refused: exchange"
        assert client.own_token(door=door).reason == "INVALID_CLIENT", "refused: a token of its own"
        assert client.own_token(door=door, api_key=client.key).reason == "INVALID_CLIENT", "refused: its API key"


def namesake(doors, client, access, refresh, meant):
    """The same client enabled again, or another under the id: nothing old."""
    for token in access:
        assert not active(doors, token), "can use nothing old"
    for token in refresh:
        answer = doors.ask("tls", "Token/RefreshToken", client=client.auth(), refresh_token=token)
        assert answer.reason == "INVALID_GRANT", f"can use nothing old: {answer.reason}"
        assert not doors.reply("root", "Token/IntrospectToken", token=token).active
    assert not [row for row in doors.reply("root", "Session/ListSessions").sessions if row.client_id == client.name]
    token = client.own_token().reply.grant.access_token
    assert active(doors, token), "what it gets now is good"
    return token


def ends(how):
    doors = Doors()
    if not os.path.exists(CLIENTS):
        register(doors)
    client = Client(doors, how)
    doors.reply("root", "Client/SetClientAudience", client_id="P1", audience={"audience": "at-" + how, "scopes": ["read"]})
    with Follower() as follower, Follower(client=auth("demo")) as service:
        access, refresh, meant = client.begin()
        for token in access:
            assert active(doors, token) and not follower.voids(token) and not service.voids(token)
        if how == "delete":
            doors.reply("root", "Client/DeleteClient", client_id=how)
        else:
            doors.reply("root", "Client/SetClientActive", client_id=how, active=False)
        all_over(doors, client, access, refresh, meant)
        for token in access:
            assert follower.hears_of(token) and service.hears_of(token), f"followers told: {claims(token)}"
        old_secret, old_key = client.secret, client.key
        if how == "delete":
            client.register()
            for proof in ({"secret": old_secret}, {"api_key": old_key}):
                assert client.own_token(**proof).reason == "INVALID_CLIENT", "the new client of that name can use nothing old"
        else:
            doors.reply("root", "Client/SetClientActive", client_id=how, active=True)
        token = namesake(doors, client, access, refresh, meant)
        time.sleep(0.3)
        assert not follower.voids(token) and not service.voids(token), "and followers take it"
        for old in access:
            assert follower.voids(old), "they go on refusing what is old"
    again = client.own_token(api_key=client.key)
    assert again.reason == "OK", f"its API key, of now: {again.reason}"


# ---- one of two clients, in the middle of a refresh storm ----

def storm():
    doors = Doors()
    for name in ("PA", "PB"):
        doors.reply("root", "Client/CreateClient", client={
            "client_id": name, "kind": PUBLIC, "grants": [REFRESH], "login": True, "audiences": [{"audience": "demo", "scopes": ["read"]}]})
        with open(CLIENTS, encoding="ascii") as file:
            secrets = json.load(file)
        with open(CLIENTS, "w", encoding="ascii") as file:
            json.dump({**secrets, name: ""}, file)
    gone, over, answers, lock = threading.Event(), threading.Event(), [], threading.Lock()

    def go_on(name, door, grant):
        caller = Doors()
        token = grant.refresh_token
        while not over.is_set():
            late = gone.is_set()
            answer = caller.ask(door, "Token/RefreshToken", client=auth(name), refresh_token=token)
            with lock:
                answers.append((name, late, answer.reason))
            if answer.reason == "OK":
                token = answer.reply.grant.refresh_token

    threads = [threading.Thread(target=go_on, args=(name, door, doors.login(name, user)))
               for name in ("PA", "PB") for door in ("root", "tls", "root") for user in ("alice",)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    doors.reply("root", "Client/DeleteClient", client_id="PA")
    gone.set()
    time.sleep(0.7)
    over.set()
    for thread in threads:
        thread.join()
    seen = {(name, late): {reason for one, when, reason in answers if (one, when) == (name, late)} for name in ("PA", "PB") for late in (False, True)}
    assert seen["PB", False] == {"OK"} and seen["PB", True] == {"OK"}, f"the other notices nothing: {seen}"
    assert "INVALID_CLIENT" in seen["PA", True] <= {"INVALID_CLIENT", "RATE_LIMITED"}, f"refused from the moment that the delete returns: {seen}"
    assert seen["PA", False] <= {"OK", "INVALID_CLIENT", "INVALID_GRANT"} and "OK" in seen["PA", False], f"before it granted or refused: {seen}"
    print(f"{len(answers)} refreshes")


# ---- tokens that are being issued while their client is disabled ----

def in_flight():
    doors = Doors()
    secret = doors.reply("root", "Client/CreateClient", client={
        "client_id": "busy", "kind": CONFIDENTIAL, "grants": [CREDENTIALS], "audiences": [{"audience": "demo", "scopes": ["read"]}]}).secret
    before, over, seen = doors.reply("root", "Host/GetStatus").audit_sequence, threading.Event(), set()

    def go_on():
        caller = Doors()
        while not over.is_set():
            for answer in caller.at_once("root", 8, "Token/IssueToken", client={"client_id": "busy", "secret": secret},
                                         tokens={"audiences": ["demo"]}):
                seen.add(answer.reason)

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        for active_now in (False, True):
            time.sleep(0.02)
            doors.reply("root", "Client/SetClientActive", client_id="busy", active=active_now)
    over.set()
    for thread in threads:
        thread.join()
    assert "OK" in seen <= {"OK", "INVALID_CLIENT", "RATE_LIMITED"}, seen
    disabled, granted, late = False, 0, 0
    for row in records(doors, before):
        disabled = {"CLIENT_DISABLE": True, "CLIENT_ENABLE": False}.get(row.event, disabled)
        if row.event == "TOKEN_ISSUE" and row.client_id == "busy":
            assert not (disabled and row.outcome == "granted"), "nothing is granted behind the commit that disables its client"
            granted, late = granted + (row.outcome == "granted"), late + (row.reason == "INVALID_CLIENT")
    print(f"{granted} granted, {late} refused by the commit")


def records(doors, after):
    while True:
        page = doors.reply("root", "Audit/ListAuditRecords", page_size=500, after_sequence=after).records
        if not page:
            return
        yield from page
        after = page[-1].sequence


# ---- 100,000 sessions ----

COLUMNS = ("kind subject user uid client_id client_row service source tty leader_pid leader_start boot_id audit_session created_ms "
           "last_used_ms idle_ms expires_ms ended_ms auth_time_s amr acr audiences scope rotates grace_s generation").split()


def many():
    doors = Doors()
    client = Client(doors, "many")
    grant = doors.login("P1")
    hand_to("many", grant.session_id)
    store = sqlite3.connect(STORE, timeout=20)
    with store:
        store.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "
                      f"INSERT INTO sessions (id, {', '.join(COLUMNS)}) SELECT printf('many%018d', i), {', '.join(COLUMNS)} "
                      "FROM n, sessions WHERE id = ?", (grant.session_id,))
    live = "SELECT count(*) FROM sessions WHERE ended_ms = 0 AND client_id = 'many'"
    assert store.execute(live).fetchone()[0] > MANY
    waits, over = [], threading.Event()

    def others():
        caller = Doors()
        while not over.is_set():
            begun = time.monotonic()
            assert caller.ask("root", "Token/IssueToken", client=auth("C1"), tokens={"audiences": ["demo"]}).reason == "OK"
            waits.append(time.monotonic() - begun)

    beside = threading.Thread(target=others)
    beside.start()
    token = client.own_token().reply.grant.access_token
    begun = time.monotonic()
    answer = doors.ask("root", "Client/DeleteClient", client_id="many")
    taken = time.monotonic() - begun
    assert answer.reason == "OK" and taken < 10, f"the delete does not time out with 100,000 sessions: {answer.reason} after {taken:.1f} s"
    assert not active(doors, token) and store.execute(live).fetchone()[0] == 0, "all inactive from the moment that it returns"
    over.set()
    beside.join()
    print(f"deleted in {taken:.2f} s; the longest that another client waited: {max(waits):.2f} s")


def no_orphans():
    store = sqlite3.connect(STORE)
    assert not store.execute("PRAGMA foreign_key_check").fetchall(), "no orphan rows remain"
    tables = [row[0] for row in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        for _, _, target, column, *_ in store.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            key = {"clients": "number", "api_keys": "number", "users": "subject"}[target]
            left = store.execute(f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN "
                                 f"(SELECT {key} FROM {target})").fetchone()[0]
            assert left == 0, f"no orphan rows remain: {left} in {table}"
    left = store.execute("SELECT count(*) FROM sessions WHERE ended_ms = 0 AND client_row NOT IN (SELECT number FROM clients)").fetchone()[0]
    assert left == 0, f"no orphan rows remain: {left} live sessions"


run_part()
