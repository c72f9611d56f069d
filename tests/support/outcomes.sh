# shellcheck shell=bash
# Sourced after daemon.sh: the table of program by outcome. A cell is an assertion; what it found is what is printed.
#
#   cell PROGRAM OUTCOME WORD CMD...      WORD stands in the table when CMD exits 0, FAILED when it does not
#   print_outcomes                        the table of every cell so far; a cell that nobody asserted is `-`
OUTCOME_COLUMNS=(granted wrong disabled gone stopped)
declare -A OUTCOME=() OUTCOME_SEEN=()
OUTCOME_ROWS=()

cell() {
    local program=$1 outcome=$2 word=$3 failed=${checks_failed:-0}
    shift 3
    [ -n "${OUTCOME_SEEN[$program]:-}" ] || OUTCOME_ROWS+=("$program")
    OUTCOME_SEEN[$program]=yes
    check "$program, $outcome: $word" "$@"
    [ "$checks_failed" = "$failed" ] || word=FAILED
    OUTCOME[$program,$outcome]=$word
}

print_outcomes() {
    local program column line
    printf '%-28s' program && printf '%-10s' "${OUTCOME_COLUMNS[@]}" && echo
    for program in "${OUTCOME_ROWS[@]}"; do
        line=$(printf '%-28s' "$program")
        for column in "${OUTCOME_COLUMNS[@]}"; do
            line+=$(printf '%-10s' "${OUTCOME[$program,$column]:--}")
        done
        echo "${line%"${line##*[! ]}"}"
    done
}
