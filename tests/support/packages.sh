# Sourced by tests/run and quickstart: what Debian packages are missing, and how they are added so that none starts.
# The list is tests/packages, which says what its columns mean.

# packages_missing all|run: names that are not installed; `run` leaves out what only tests need.
packages_missing() {
    local name words
    while read -r name words; do
        case " $words" in
            *" tests"*) [ "$1" = all ] || continue ;;
        esac
        case " $words" in
            *" unless="*) [ ! -e "${words##*unless=}" ] || continue ;;
            *" unpacked"*) continue ;;
        esac
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2> /dev/null)" = installed ] || echo "$name"
    done < <(grep -Ev '^(#|$)' tests/packages)
}

# Packages marked `unpacked` are never installed, for their scripts would edit the machine's PAM stacks: their files are
# under build/unpacked/NAME, fetched once, their sums looked at by apt.
packages_not_unpacked() {
    local name words
    while read -r name words; do
        [[ " $words" != *" unpacked"* ]] || [ -d "build/unpacked/$name" ] || echo "$name"
    done < <(grep -Ev '^(#|$)' tests/packages)
}

packages_unpack() { # NAME...
    local name place
    for name in "$@"; do
        place=build/unpacked/.$name
        rm -rf "$place"
        mkdir -p "$place"
        (cd "$place" && apt-get download "$name" && dpkg-deb -x ./*.deb . && rm ./*.deb) || return 1
        mv "$place" "build/unpacked/$name"
    done
}

# packages_unpacked_into_root NAME...: their files to where they belong; in a private host only.
packages_unpacked_into_root() {
    local name
    [ "${IN_HOST:-}" = yes ] || return 2
    for name in "$@"; do
        tar -C "build/unpacked/$name" -c . | tar -C / -x --keep-directory-symlink --no-overwrite-dir || return 1
    done
    ldconfig
}

# packages_install all|run: does nothing, and needs no network, where everything is there. Packages come in under a
# policy-rc.d that starts no service; the one that was there before, if any, is back afterwards.
packages_install() (
    mapfile -t missing < <(packages_missing "$1")
    unpack=()
    [ "$1" != all ] || mapfile -t unpack < <(packages_not_unpacked)
    [ $((${#missing[@]} + ${#unpack[@]})) -gt 0 ] || exit 0
    echo "from Debian: ${missing[*]} ${unpack[*]}"
    policy=/usr/sbin/policy-rc.d saved=''
    trap 'rm -f "$policy"; [ -z "$saved" ] || mv "$saved" "$policy"' EXIT
    trap 'exit 130' INT TERM
    if [ -e "$policy" ]; then
        saved=$policy.saved-by-secauth
        mv "$policy" "$saved"
    fi
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 0755 "$policy"
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p build
    if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } \
        < /dev/null > build/packages.log 2>&1; then
        tail -n 20 build/packages.log
        echo "the packages could not be installed; all of it is in build/packages.log" >&2
        exit 1
    fi
    packages_unpack ${unpack[@]+"${unpack[@]}"} >> build/packages.log 2>&1 ||
        echo "packages could not be unpacked: the tests that need them will fail" >&2
)
