#!/usr/bin/env bash
# A headless Chromium against the local IAM. `KEYWRIGHT_IAM` is the command that serves it, `KEYWRIGHT` the authenticator app and the
# program that asks for credentials, `PYTHON` the interpreter with the pinned packages, `CHROMIUM` the browser, `SCREENSHOTS` the folder for a
# picture of each page.
# Arguments name tests, as in `run.sh test_walk.Console.test_a_u2f_key_is_assigned_and_signs_in`.
set -euo pipefail
mkdir -p "$SCREENSHOTS"
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- test_walk test_attacks
exec "$PYTHON" -B -m unittest -v "$@"
