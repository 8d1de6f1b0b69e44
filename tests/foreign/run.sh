#!/usr/bin/env bash
# Runs python-fido2, a client that others wrote, against the emulator.
#
# KEYWRIGHT is the command that is tested, PYTHON an interpreter with the packages of requirements.txt. Words behind the
# script's name are the scenarios to run; without any, all are run.
set -euo pipefail

: "${KEYWRIGHT:?the keywright command to test}"
: "${PYTHON:?a Python interpreter with the packages of requirements.txt}"

exec "$PYTHON" -B "$(dirname "$0")/scenarios.py" "$@"
