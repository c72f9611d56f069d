# Sourced by the tests of tests/cases; enters a private host first. What pam.sh has, and the people of the cases:
#
#   cases_setup [LINE...]   the host, the daemon (LINEs are its configuration), and everybody but tina's second factor:
#                           alice 4242, bob 4343, tina 4444, dis 4545 (disabled), exp 4646 (must change the password),
#                           all with $PW; nina 4747 (NSS only); dora 4848 (here only). root stays with pam_unix.
#                           /etc/pam.d/test has pam_secauth.so alone; the shipped profile is installed.
#   enroll_tina             arms tina's TOTP key: 20 ASCII bytes, SHA-1, 6 digits. Codes: tina_code [SECONDS-FROM-NOW]
#   clock_at EPOCH          the daemon's wall clock stands at EPOCH and goes on; the monotonic clock is untouched.
#                           It works for a daemon that was started by cases_setup.  clock_real
#   counters                what `secauthctl lockout list` prints;  no_counters: it has no row
#   login USER PASSWORD [WORD...]   authenticate by the app, from S1 unless --rhost is among the WORDs
#   S1 to S9                203.0.113.1 to .9
#   trace_build             makes $TRACER, which is preloaded: `SA_TRACE=FILE LD_PRELOAD=$TRACER CMD` writes sockets,
#                           connections and name lookups of CMD to FILE. TRACED_DAEMON=FILE before cases_setup: of
#                           the daemon, its start included
. tests/support/pam.sh

export PW='correct horse battery'
W1='wrong one' W2='wrong two' W3='wrong three' W4='wrong four' W5='wrong five' W6='wrong six' W7='wrong seven'
S1=203.0.113.1 S2=203.0.113.2 S3=203.0.113.3 S4=203.0.113.4 S5=203.0.113.5 S9=203.0.113.9
TINA_KEY=12345678901234567890
CLOCK=/run/t/clock
TRACER=/run/t/trace.so TRACED_DAEMON=''
LIBFAKETIME=$(ls /usr/lib/*/faketime/libfaketime.so.1 2> /dev/null | head -n 1)

cases_setup() {
    local person
    host_setup
    mkdir -p /run/t
    chmod 0755 /run/t
    clock_real
    [ -z "$TRACED_DAEMON" ] || trace_build
    for person in alice:4242 bob:4343 tina:4444 dis:4545 exp:4646 nina:4747; do
        host_person "${person%:*}" "${person#*:}"
    done
    usermod -aG sudo alice
    service test "auth required pam_secauth.so" "account required pam_secauth.so" \
        "password required pam_secauth.so" "session required pam_secauth.so"
    check "the daemon starts under a clock that can be set" cases_daemon "$@"
    for person in alice:4242 bob:4343 tina:4444 dis:4545 exp:4646 dora:4848; do
        secauthctl user add "${person%:*}" --uid "${person#*:}" <<< "$PW" > /dev/null || return 1
    done
    secauthctl user disable dis > /dev/null && secauthctl user passwd exp --temporary <<< "$PW" > /dev/null
}

cases_daemon() {
    SA_TRACE=$TRACED_DAEMON LD_PRELOAD=$LIBFAKETIME${TRACED_DAEMON:+:$TRACER} FAKETIME_TIMESTAMP_FILE=$CLOCK FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
        start_daemon "$@"
}

trace_build() {
    mkdir -p /run/t
    gcc -shared -fPIC -O1 -o "$TRACER" tests/support/trace.c
}

clock_at() {
    printf '%+d\n' $(($1 - $(date +%s))) > "$CLOCK.new" && mv "$CLOCK.new" "$CLOCK"
}

clock_real() { echo +0 > "$CLOCK"; }

tina_now() { echo $(($(date +%s) + $(< "$CLOCK"))); }

tina_code() {
    oathtool --totp --digits=6 --now="@$(($(tina_now) + ${1:-0}))" "$(printf %s "$TINA_KEY" | od -An -tx1 | tr -d ' \n')"
}

enroll_tina() {
    install -m 0600 /dev/null /run/t/tina.key
    printf %s "$TINA_KEY" > /run/t/tina.key
    tina_code -30 | secauthctl mfa enroll tina --key-file /run/t/tina.key
}

counters() { secauthctl lockout list; }
no_counters() { [ "$(secauthctl --output json lockout list | jq length)" = 0 ]; }

login() {
    local user=$1 password=$2
    shift 2
    [[ " $* " == *" --rhost "* ]] || set -- --rhost "$S1" "$@"
    app --user "$user" --answer "$password" "$@" authenticate
}
