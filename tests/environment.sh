# shellcheck shell=bash
# Sourced by the test scripts: the paths of the tools, and error messages.

# Tools and boards are stored here, outside the clone. It is safe to remove: tests/setup recreates it.
tools=${XDG_CACHE_HOME:-${HOME:?is not set, and the tools are stored below it}/.cache}/sureplug-tools
# Tests run as root need root's commands, which a user's PATH lacks on Debian.
PATH=$tools/bin:$PATH:/usr/sbin:/sbin
# Keeps Python's caches out of the clone.
export PYTHONDONTWRITEBYTECODE=1

# fail WHAT WHAT_TO_DO: prints both and exits.
fail() {
    printf '\n%s: %s\n    %s\n' "$0" "$1" "$2" >&2
    exit 1
}

# oldest_rust: prints the workspace's rust-version.
oldest_rust() {
    cargo metadata --no-deps --offline --format-version 1 | sed -n 's/.*"rust_version":"\([^"]*\)".*/\1/p'
}
