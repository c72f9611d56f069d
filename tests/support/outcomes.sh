# shellcheck shell=bash
# Sourced after daemon.sh: the table of program by outcome. A test of tests/programs asserts its cells and leaves them
# in $KEEP/cells; tests/programs/table.test gathers them, prints the table and fails where one is missing.
#
#   cell PROGRAM OUTCOME CMD...         an assertion: the cell is `ok` when CMD exits 0, FAILED when it does not
#   no_cell PROGRAM OUTCOME REASON      there is nothing to assert, because of what the program does: one sentence
#
# PROGRAM is one of OUTCOME_ROWS, OUTCOME one of OUTCOME_COLUMNS; any other word ends the test.
OUTCOME_ROWS=('sshd password' 'sshd keyboard-interactive' 'sshd public key' 'sudo -S' 'sudo on a tty' 'sudo -n' su
    'login on the console' passwd cron at lightdm i3lock cockpit Dovecot Apache PostgreSQL)
OUTCOME_COLUMNS=(granted wrong waiting expired disabled factor gone flooded)
declare -A OUTCOME_TITLES=([granted]=granted [wrong]='wrong password' [waiting]=waiting [expired]=expired
    [disabled]=disabled [factor]='second factor' [gone]='daemon gone' [flooded]='daemon flooded')
rm -f "$KEEP/cells"

cell() {
    local program=$1 outcome=$2 failed=${checks_failed:?} word=ok
    outcome_known "$1" "$2"
    shift 2
    check "$program, ${OUTCOME_TITLES[$outcome]}" "$@"
    [ "$checks_failed" = "$failed" ] || word=FAILED
    printf '%s\t%s\t%s\t\n' "$program" "$outcome" "$word" >> "$KEEP/cells"
}

no_cell() {
    outcome_known "$1" "$2"
    printf '%s\t%s\t-\t%s\n' "$1" "$2" "${3:?a dash needs its reason}" >> "$KEEP/cells"
}

outcome_known() {
    outcome_listed "$1" "${OUTCOME_ROWS[@]}" && outcome_listed "$2" "${OUTCOME_COLUMNS[@]}" && return
    echo "no such cell: $1, $2" >&2
    exit 2
}

outcome_listed() { # no `grep -q` behind a pipe, which kills what still writes
    local word=$1 each
    shift
    for each in "$@"; do
        [ "$each" != "$word" ] || return 0
    done
    return 1
}

# outcome_table < CELLS: the cells as a table in Markdown, the reasons below it. A cell that was asserted
# more than once is `ok` only if it always was; one that nobody asserted is `?`.
outcome_table() {
    local column
    printf '| program |'
    for column in "${OUTCOME_COLUMNS[@]}"; do printf ' %s |' "${OUTCOME_TITLES[$column]}"; done
    printf '\n| --- |%s\n' "$(printf ' --- |%.0s' "${OUTCOME_COLUMNS[@]}")"
    awk -F '\t' -v rows="$(printf '%s\t' "${OUTCOME_ROWS[@]}")" -v columns="${OUTCOME_COLUMNS[*]}" '
        { at = $1 FS $2 }
        $3 == "-" && !(at in word) { word[at] = "-"; reason[at] = $4 }
        $3 != "-" && word[at] != "FAILED" { word[at] = $3 }
        END {
            rows_count = split(rows, row, FS) - 1
            columns_count = split(columns, column, " ")
            for (r = 1; r <= rows_count; r++) {
                line = "| " row[r] " |"
                for (c = 1; c <= columns_count; c++) {
                    at = row[r] FS column[c]
                    text = at in word ? word[at] : "?"
                    if (text == "-") {
                        if (!(reason[at] in number)) { number[reason[at]] = ++notes; note[notes] = reason[at] }
                        text = "- (" number[reason[at]] ")"
                    }
                    line = line " " text " |"
                }
                print line
            }
            print ""
            for (n = 1; n <= notes; n++) print n ". " note[n]
        }'
}
