"""Runs other people's clients against the key inside the lab's guest: `run.py [CLIENT[/OPERATION]…]`.

KEYWRIGHT is the program that runs keys, HIL the one that plays our own scenarios, BOARD_PORT where an emulated board is
offered over USB/IP, RESULTS the folder for results.json, table.txt and the logs. Ends with 1 if
anything failed.
"""

import sys
from pathlib import Path

# What is shared with the clients that are played over UDP.
sys.path.append(str(Path(__file__).parents[1] / "foreign"))

import board
import browsers
import doctor
import hil
import keywright_command
import libfido2
import openssh
import pam
import programs
import python_fido2
import udev
from lab import Scenarios


def main(names):
    scenarios = Scenarios()
    for module in (
        keywright_command,
        doctor,
        hil,
        board,
        libfido2,
        programs,
        python_fido2,
        openssh,
        pam,
        udev,
        browsers,
    ):
        module.add_to(scenarios)
    return scenarios.run(names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
