"""Many requests to Apache at once, each on a thread and a connection of its own; each must get its own answer.

apache.py same COUNT USER PASSWORD-FILE      COUNT times the same right password
apache.py mixed COUNT ROUNDS                 u1 to uCOUNT at once; in every other round one has another's password
apache.py places COUNT USER PASSWORD-FILE    COUNT times the same right password, each from an address of its own
apache.py again COUNT USER PASSWORD-FILE     COUNT times the same right password from one address, asked again until it is
                                             granted; prints how many were refused at first
"""
import base64
import http.client
import sys
import threading


def ask(connection, user, password):
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    connection.request("GET", "/hello", headers={"Authorization": "Basic " + word})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("X-User")


def at_once(count, rounds, attempt, address=lambda number: "127.0.0.1"):
    """attempt(thread, round) is (user, password, expected); everything that came out otherwise."""
    gate, wrong = threading.Barrier(count), []

    def run(number):
        connection = http.client.HTTPConnection("127.0.0.1", 2180, 30, (address(number), 0))
        for turn in range(rounds):
            user, password, expected = attempt(number, turn)
            gate.wait()
            got = ask(connection, user, password)
            if got[0] != expected or (expected == 200 and got[1] != user):
                wrong.append((number, turn, user, expected, got))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, count + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def same(count, user, password_file):
    with open(password_file, encoding="utf-8") as file:
        password = file.read()
    return at_once(int(count), 2, lambda number, turn: (user, password, 200))


def places(count, user, password_file):
    with open(password_file, encoding="utf-8") as file:
        password = file.read()
    return at_once(int(count), 1, lambda number, turn: (user, password, 200), lambda number: f"127.0.1.{number}")


def again(count, user, password_file):
    with open(password_file, encoding="utf-8") as file:
        password = file.read()
    left = refused = len(at_once(int(count), 1, lambda number, turn: (user, password, 200)))
    failures = []
    for _ in range(5):
        failures = at_once(left, 1, lambda number, turn: (user, password, 200)) if left else []
        left = len(failures)
    print(f"{refused} refused")
    return failures


def mixed(count, rounds):
    count = int(count)

    def attempt(number, turn):
        if (number + turn) % 2:
            return f"u{number}", f"the password of u{number}", 200
        return f"u{number}", f"the password of u{number % count + 1}", 401

    return at_once(count, int(rounds), attempt)


failures = {"same": same, "mixed": mixed, "places": places, "again": again}[sys.argv[1]](*sys.argv[2:])
for failure in failures:
    print(*failure)
sys.exit(bool(failures))
