# Sourced by bash tests: assertions that count, and waiting that is bounded.
#
#   check "a sentence" CMD...        passes when CMD exits 0; what it printed is shown when it does not
#   refuse "a sentence" CMD...       passes when CMD exits other than 0 (and is not killed by a signal)
#   contains TEXT PATTERN            PATTERN (extended regular expression) matches a line of TEXT
#   until_ok SECONDS CMD...          tries CMD every 50 ms; fails when the time is over
#   ms_since NANOSECONDS             milliseconds since `date +%s%N` printed that
#
# At exit the counts are printed; the exit status is 1 where a check failed or none was made.
checks_passed=0 checks_failed=0
checks_output=$(mktemp)

# CMD runs in this shell, so that what it starts and sets stays.
check() {
    local sentence=$1
    shift
    if "$@" > "$checks_output" 2>&1; then
        check_pass "$sentence"
    else
        check_fail "$sentence" "$*"
    fi
}

refuse() {
    local sentence=$1 status=0
    shift
    "$@" > "$checks_output" 2>&1 || status=$?
    if [ "$status" -gt 0 ] && { [ "$status" -le 128 ] || [ "$status" -gt 192 ]; }; then # 255 is ssh's
        check_pass "$sentence"
    else
        check_fail "$sentence" "$* (exit status $status)"
    fi
}

check_pass() {
    checks_passed=$((checks_passed + 1))
    echo "  ok: $1"
}

check_fail() {
    checks_failed=$((checks_failed + 1))
    echo "  FAILED: $1"
    { echo "$2"; cat "$checks_output"; } | head -n 40 | sed 's/^/    /'
}

contains() {
    grep -Eq -- "$2" <<< "$1" && return 0
    printf 'no line matches %s in:\n%s\n' "$2" "$1"
    return 1
}

until_ok() {
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

ms_since() {
    echo $((($(date +%s%N) - $1) / 1000000))
}

checks_report() {
    local status=$?
    rm -f "$checks_output"
    declare -F at_exit > /dev/null && at_exit "$status"
    echo "$checks_passed checks passed, $checks_failed failed"
    if [ "$status" = 0 ] && { [ "$checks_failed" -gt 0 ] || [ "$checks_passed" = 0 ]; }; then
        status=1
    fi
    exit "$status"
}
trap checks_report EXIT
