# shellcheck shell=bash
# Sourced by the tests of this folder, each of which begins `. tests/lockout/sentences.sh` and ends `sentences NAME`:
# every sentence of NAME.py is a check, twice. It passes against the daemon, and the very same check fails against
# secauthd_switched with the sentence's rule off (tests/lockout/sentences.py).
. tests/support/daemon.sh

sentences() {
    local verdict words detail
    host_users
    host_syslog
    host_install
    mkdir -p /run/t
    check "the clock that can be stepped is made" \
        gcc -shared -fPIC -o /run/t/clock_shim.so tests/support/clock_shim.c -ldl
    check "the daemon with switches is there" test -x "$BUILD/tests/support/secauthd_switched"
    while IFS=$'\t' read -r verdict words detail; do
        if [ "$verdict" = ok ]; then
            check_pass "$words"
        else
            : > "$checks_output"
            check_fail "$words" "$detail"
        fi
    done < <(/usr/bin/python3 "tests/lockout/$1.py" "${@:2}" || printf 'failed\tevery sentence of %s was tried\tit ended early\n' "$1")
}
