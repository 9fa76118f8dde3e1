#!/usr/bin/env bash
# Which `glovebox` the scripts of ops/ run. Sourced.
#
# It must never rebuild one that is there: what was built is what is meant.

# Prints the path: GLOVEBOX_BIN, or the newer of the two builds of this tree, or
# the one on PATH. If there is none, builds it.
glovebox_bin() {
    local root target newest
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    target=${CARGO_TARGET_DIR:-$root/target}
    if [[ -n ${GLOVEBOX_BIN-} ]]; then
        echo "$GLOVEBOX_BIN"
        return
    fi
    newest=$target/debug/glovebox
    if [[ ! -x $newest || $target/release/glovebox -nt $newest ]]; then
        newest=$target/release/glovebox
    fi
    if [[ ! -x $newest ]] && ! newest=$(command -v glovebox); then
        echo "no glovebox binary yet: building it" >&2
        (cd "$root" && cargo build --locked --release -p glovebox >&2) || return 1
        newest=$target/release/glovebox
    fi
    echo "$newest"
}
