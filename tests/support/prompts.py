#!/usr/bin/python3
"""prompts.py HOW COUNT, as the person: COUNT sudos at once, each on a terminal of its own. At the prompt: `interrupt` types
^C, `end` types ^D, `timeout` waits for sudo to give up; `noninteractive` asks `sudo -n -v` instead; and `su-bob` types a
wrong password to `su bob`. Exits 0 where every one prompted (but `noninteractive`) and was refused."""
import os
import pty
import select
import sys
import time

how, count = sys.argv[1], int(sys.argv[2])
WORDS = {"noninteractive": ["sudo", "-n", "-v"], "su-bob": ["su", "bob", "-c", "true"]}
words, prompt = WORDS.get(how, ["sudo", "-k", "-p", "Password:", "true"]), b"Password:"
keys = {"interrupt": b"\x03", "end": b"\x04", "su-bob": b"wrong %d\n"}
terminals, said = {}, {}
for _ in range(count):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    terminals[terminal], said[terminal] = pid, b""

end, prompted, refused, open_terminals = time.monotonic() + 30, 0, 0, dict(terminals)
while open_terminals and time.monotonic() < end:
    for terminal in select.select(list(open_terminals), [], [], 1)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            data = b""
        if not data:
            del open_terminals[terminal]
            continue
        if prompt not in said[terminal] and prompt in said[terminal] + data:
            prompted += 1
            time.sleep(0.02)  # until sudo has turned the echo off, which throws away what was typed before
            key = keys.get(how, b"")
            os.write(terminal, key % prompted if b"%" in key else key)
        said[terminal] += data
for terminal, pid in terminals.items():
    refused += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
print(f"{prompted} prompted, {refused} refused; one said {list(said.values())[0]!r}")
sys.exit(refused != count or (prompted != count and how != "noninteractive"))
