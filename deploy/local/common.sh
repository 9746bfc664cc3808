# shellcheck shell=bash
# Sourced by the commands beside it: where things are, and how custos-local is run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binaries=${CARGO_TARGET_DIR:-$root/target}/debug

# Where rustup and Go put themselves, for shells that have not been told.
export PATH=$PATH:/usr/local/go/bin:$HOME/.cargo/bin

custos_local() {
    if [ ! -x "$binaries/custos-local" ]; then
        echo "nothing is built yet: run deploy/local/up first" >&2
        exit 1
    fi
    exec "$binaries/custos-local" --root "$root" "$@"
}
