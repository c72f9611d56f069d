# Sourced by tests that run Node.js: npm's packages, installed into the build folder, for which the network is needed once.
#
#   node_install FOLDER   what FOLDER/package-lock.json names; NODE_MODULES is where it is. Before the private host.
node_install() {
    local dir
    dir=$(realpath -m -- "${BUILD:-build/test}")/node/$(basename "$1")
    NODE_MODULES=$dir/node_modules
    export NODE_MODULES
    [ ! "$NODE_MODULES/.package-lock.json" -nt "$1/package-lock.json" ] || return 0
    mkdir -p "$dir/home" && cp "$1/package.json" "$1/package-lock.json" "$dir" &&
        (cd "$dir" && HOME=$dir/home npm ci --ignore-scripts --no-audit --no-fund --cache "$dir/cache")
}
