"""The terminal's side of mfa.test.

mfa.py PICTURE PASSWORD CURRENT CMD...   run CMD on a terminal: give it PASSWORD, the code of the key that it prints, and CURRENT
where it asks for a code of the key from before; print what the terminal showed without its colours, and draw the QR
code that stood there into PICTURE (PBM), 6 dots a module, as the colours say.
"""
import codecs
import contextlib
import os
import pty
import re
import subprocess
import sys
import urllib.parse

DOTS = 6
MODULES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def code(uri):
    """What Debian's oathtool makes of the key in a URI, at the daemon's time."""
    key = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query))
    with open("/run/t/clock") as clock, open("/dev/null") as null:
        now = int(subprocess.run(["date", "+%s"], stdout=subprocess.PIPE, check=True, stdin=null).stdout) + int(clock.read())
    made = subprocess.run(["oathtool", f"--totp={key['algorithm']}", f"--digits={key['digits']}", f"--now=@{now}", "--base32",
                           "-"], input=key["secret"].encode(), stdout=subprocess.PIPE, check=True)
    return made.stdout.decode().strip()


def picture(shown):
    """Every line that is written black on white, whatever the terminal's theme; two modules a character."""
    rows = []
    for line in re.findall("\033\\[38;5;16;48;5;231m([ ▀▄█]+)\033\\[0m", shown):
        rows += [[MODULES[c][half] for c in line] for half in (0, 1)]
    return rows


def draw(rows, path):
    with open(path, "w") as file:
        print("P1", len(rows[0]) * DOTS if rows else 0, len(rows) * DOTS, file=file)
        for row in rows:
            line = " ".join(" ".join([str(dot)] * DOTS) for dot in row)
            print("\n".join([line] * DOTS), file=file)


def look_at_processes(secrets):
    """While it waits for an answer: others see a program's words, and root its environment."""
    looked = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as name:
            if name.read() != "secauthctl\n":
                continue
            looked += 1
            for what in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{what}", "rb") as file:
                    data = file.read()
                assert not any(secret.encode() in data for secret in secrets if secret), f"{what} holds a secret"
    assert looked > 0, "secauthctl was not among the processes"


def talk(child, password, current):
    """The dialogue; each prompt is answered once it stands there whole."""
    shown, answered, text = "", 0, codecs.getincrementaldecoder("utf-8")()
    while True:
        try:
            data = os.read(child, 65536)
        except OSError:
            return shown
        if not data:
            return shown
        shown += text.decode(data)
        prompt = shown[answered:]
        if prompt.endswith("assword: "):
            answer = password
        elif prompt.endswith("shows now: "):
            answer = code(re.search(r"otpauth://\S+", shown)[0])
        elif prompt.endswith("recovery code: "):
            answer = current
        else:
            continue
        look_at_processes([password, answer, current, *re.findall("secret=([A-Z2-7]+)", shown)])
        answered = len(shown)
        os.write(child, answer.encode() + b"\n")


def main():
    path, password, current, *command = sys.argv[1:]
    pid, child = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown = talk(child, password, current)
    draw(picture(shown), path)
    print(re.sub("\033\\[[0-9;]*m", "", shown).replace("\r", ""))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()
