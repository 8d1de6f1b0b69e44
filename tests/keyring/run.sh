#!/usr/bin/env bash
# `keywright totp` and a real keyring: GNOME's, unlocked, on a session bus of its own, in a home of its own.
#
# KEYWRIGHT is the command.
set -euo pipefail
cd "$(dirname "$0")"
: "${KEYWRIGHT:?the keywright command}"
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir -m 700 "$home/run"
unset DISPLAY WAYLAND_DISPLAY XDG_DATA_HOME XDG_CONFIG_HOME KEYWRIGHT_TOTP_STORE
export HOME="$home" XDG_RUNTIME_DIR="$home/run"
# The keyring ends with its bus.
dbus-run-session -- bash -c '
    printf "a password" | gnome-keyring-daemon --unlock --components=secrets > /dev/null
    exec "${PYTHON:-python3}" -B -m unittest --verbose test_keyring
'
