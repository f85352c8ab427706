# shellcheck shell=bash
# Sourced by the scripts of the tests: where their tools are, and how they fail.

# Tools and boards are kept here, outside of the clone. Removing it is safe: tests/setup makes it again.
tools=${XDG_CACHE_HOME:-${HOME:?is not set, and the tools are kept below it}/.cache}/sureplug-tools
# What tests run as root needs the commands of root, which a user's PATH lacks on Debian.
PATH=$tools/bin:$PATH:/usr/sbin:/sbin
# Python caches what it compiles beside the source, which would be in the clone.
export PYTHONDONTWRITEBYTECODE=1

# fail WHAT WHAT_TO_DO
fail() {
    printf '\n%s: %s\n    %s\n' "$0" "$1" "$2" >&2
    exit 1
}

# oldest_rust: the rust-version that the workspace declares.
oldest_rust() {
    cargo metadata --no-deps --offline --format-version 1 | sed -n 's/.*"rust_version":"\([^"]*\)".*/\1/p'
}
