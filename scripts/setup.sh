# shellcheck shell=bash
# Sourced by scripts/demo and scripts/test: makes .venv in the repository root and installs into it.
# Needs Python 3.11 or later and nothing else; written for bash 3.2, which is what macOS has.
#
# The package is installed editable: what runs is src/ as it stands, so after a `git pull` nothing
# is to be installed again unless the dependencies changed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
# What was installed, for which dependencies and where: a second run compares and is done.
stamp=$venv/.tonotope-installed
# There while an installation runs: an interrupted one may have left half a package behind.
unfinished=$venv/.tonotope-unfinished

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

# quoted WORD...: prints the words so that they can be pasted into a shell.
quoted() {
    local word separator=''
    for word in "$@"; do
        case $word in
            '' | *[!A-Za-z0-9_./=:@%+,-]*)
                word=$(printf '%s' "$word" | LC_ALL=C sed "s/'/'\\\\''/g")
                word="'$word'"
                ;;
        esac
        printf '%s%s' "$separator" "$word"
        separator=' '
    done
    printf '\n'
}

# run WORD...: shows a command, then runs it.
run() {
    printf '\n$ %s\n' "$(quoted "$@")"
    "$@"
}

# Prints the first Python that will do.
find_python() {
    local name without_venv=''
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if command -v uv >/dev/null || "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
        without_venv=${without_venv:-$name}
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv has no venv module. On Debian or Ubuntu: sudo apt install python3-venv. \
Then run this again."
    fi
    fail "no Python 3.11 or later found (looked for python3, python3.14 ... python3.11, python). \
Install one, then run this again."
}

# with_uv EXTRAS: makes the environment and installs; fails where uv cannot.
with_uv() {
    local link options torch_at_hand=''
    options=(--python "$venv/bin/python" --quiet --constraint constraints.txt)
    # uv does not read pip's settings, but wheels that lie on this machine are worth passing on.
    for link in ${PIP_FIND_LINKS:-}; do
        options+=(--find-links "$link")
        if compgen -G "$link/torch-*.whl" >/dev/null; then torch_at_hand=yes; fi
    done
    if [ "$(uname -s)" = Linux ] && [ -z "$torch_at_hand" ] &&
        uv pip install --help 2>/dev/null | grep -q -e --torch-backend; then
        # Without it, Linux gets gigabytes of CUDA that no test needs.
        options+=(--torch-backend cpu)
    fi
    [ -x "$venv/bin/python" ] || uv venv --quiet --python "$1" "$venv" || return
    : >"$unfinished"
    uv pip install "${options[@]}" --editable "$2"
}

# with_pip PYTHON WHAT [OPTION...]: the same with what Python brings along.
with_pip() {
    local python=$1 what=$2
    shift 2
    if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        rm -rf "$venv"
        "$python" -m venv "$venv" || return
    fi
    : >"$unfinished"
    "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        "$@" --editable "$what"
}

install() {
    local python=$1 what=$2
    if command -v uv >/dev/null; then
        with_uv "$python" "$what" && return
        echo "uv could not install it (see above); trying venv and pip." >&2
        rm -rf "$venv"
    fi
    with_pip "$python" "$what" --constraint constraints.txt && return
    echo "The tested versions in constraints.txt do not all install here (see above);" >&2
    echo "trying the newest that pyproject.toml allows." >&2
    with_pip "$python" "$what" && return
    fail "the installation failed; the reason is above. Run this again once it is mended."
}

# set_up EXTRAS: EXTRAS is empty or like "test,train". Leaves the shell in the repository root.
set_up() {
    local extras=$1 key python what=.
    cd "$root" || exit
    [ -z "$extras" ] || what=".[$extras]"
    key="$root $(cat pyproject.toml constraints.txt | cksum)"
    # An installation with extras also serves who needs none.
    if [ -f "$stamp" ] && grep -q -x -F -e "$what $key" -e ".[test,train] $key" "$stamp"; then
        return
    fi
    python=$(find_python) || exit
    # Start afresh where the environment is broken, half installed, or was made elsewhere.
    if [ -e "$unfinished" ] ||
        { [ -f "$stamp" ] && ! grep -q -F " $root " "$stamp"; } ||
        ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        rm -rf "$venv"
    fi
    echo "Installing Tonotope and what it needs into $venv (only this once) ..."
    install "$python" "$what"
    printf '%s %s\n' "$what" "$key" >"$stamp.new"
    mv "$stamp.new" "$stamp"
    rm -f "$unfinished"
}
