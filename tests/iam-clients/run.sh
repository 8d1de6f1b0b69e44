#!/usr/bin/env bash
# Real AWS clients against the local IAM: boto3 and the AWS CLI (version 1).
#
# KEYWRIGHT_IAM is the command that serves it, PYTHON the interpreter with the packages of requirements.txt.
set -euo pipefail
cd "$(dirname "$0")"
: "${KEYWRIGHT_IAM:?the command that serves the local IAM}"
exec "${PYTHON:-python3}" -m unittest --verbose test_life test_model test_cli test_tls
