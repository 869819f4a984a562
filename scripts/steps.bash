# shellcheck shell=bash
# Sourced by the scripts: named steps that show what they run and how long they took, and stop the
# script at the first one that fails. Moves to the root of the project.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# step TITLE COMMAND...
# What the command prints is also appended to the file $step_log, if that is set.
step() {
    local title=$1 status=0 started=$SECONDS
    shift
    printf '\n==> %s\n    $ %s\n' "$title" "$*"
    if [[ -n ${step_log:-} ]]; then
        "$@" 2>&1 | tee -a "$step_log" || status=$?
    else
        "$@" || status=$?
    fi
    if ((status != 0)); then
        printf '\nFAILED: %s (exit status %d after %d s)\n    $ %s\n' \
            "$title" "$status" $((SECONDS - started)) "$*" >&2
        exit "$status"
    fi
    printf '    done: %s (%d s)\n' "$title" $((SECONDS - started))
}

# need TOOL HINT: stops with the hint unless cargo has the tool.
need() {
    if ! cargo "$1" --version >/dev/null 2>&1; then
        printf 'FAILED: cargo %s is missing. %s\n' "$1" "$2" >&2
        exit 1
    fi
}
