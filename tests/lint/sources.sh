# Sourced by the lint tests: `sources PATTERN...` prints the project's own files that match, tracked or new, one a line.
# Run as root in a folder of somebody else's, so git is told that this is wanted; without git: what find finds.
# shellcheck disable=SC2120 # without a pattern: all of them
sources() {
    git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard -- "$@" 2> /dev/null | sort -u |
        while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

# Scripts without a telling suffix, by their first line.
shell_scripts() {
    # shellcheck disable=SC2119
    sources | while read -r file; do
        case "$file" in
            *.sh) echo "$file" ;;
            *) head -c 64 "$file" | tr -d '\0' | sed -n "1s,^#!.*\b\(ba\)\?sh\b.*,$file,p" ;;
        esac
    done
}
