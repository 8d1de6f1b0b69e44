"""Scenarios that python-fido2 plays against the emulator: `scenarios.py [NAME…]`."""

import sys

import ctap2_scenarios
import management_scenarios
import pin_scenarios
import u2f_scenarios
import webauthn_scenarios
from checks import Checks
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2


def table():
    """Every scenario by its name; those that need a PIN are played with both protocols."""
    scenarios = {}
    for module in (ctap2_scenarios, webauthn_scenarios, u2f_scenarios):
        scenarios.update(module.SCENARIOS)
    for module in (pin_scenarios, management_scenarios):
        for name, scenario in module.SCENARIOS.items():
            for protocol in (PinProtocolV1, PinProtocolV2):
                scenarios[f"{name}-protocol-{protocol.VERSION}"] = (
                    lambda check, play=scenario, protocol=protocol: play(check, protocol)
                )
    return scenarios


def main(names):
    scenarios = table()
    unknown = [name for name in names if name not in scenarios]
    if unknown:
        sys.exit(f"no such scenario: {' '.join(unknown)}; there are {' '.join(scenarios)}")
    checks = Checks()
    for name in names or scenarios:
        checks.run(name, scenarios[name])
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed or not checks.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
