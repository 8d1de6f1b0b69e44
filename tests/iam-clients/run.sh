#!/usr/bin/env bash
# Real AWS clients against the local IAM: boto3 and the AWS CLI (version 1; for logins Debian's version 2 too), by themselves and with
# credentials of `keywright`.
#
# KEYWRIGHT_IAM is the command that serves it, KEYWRIGHT the command that signs in, KEYWRIGHT_AWS_V2 the AWS CLI of version 2, PYTHON the
# interpreter with the packages of requirements.txt.
set -euo pipefail
cd "$(dirname "$0")"
: "${KEYWRIGHT_IAM:?the command that serves the local IAM}"
: "${KEYWRIGHT:?the keywright command}"
exec "${PYTHON:-python3}" -m unittest --verbose test_life test_model test_cli test_login test_session test_tls
