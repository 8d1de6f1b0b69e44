// The RP2040 of the package rp2040js with what it lacks: a flash that can be busy, faults, lock-up, how it was reset.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { NorFlash } from './flash.mjs';

if (!process.env.KEYWRIGHT_BOARD_TOOLS) throw new Error('KEYWRIGHT_BOARD_TOOLS is not set: `cargo xtask test board` sets it');
// From where the person stands, who may have typed it.
export const tools = resolve(process.env.KEYWRIGHT_BOARD_TOOLS);
const { RP2040 } = createRequire(`${tools}/`)('rp2040js');
const Peripheral = Object.getPrototypeOf(Object.getPrototypeOf(new RP2040().usbCtrl)).constructor;

const HARD_FAULT = 3;
const SECOND_STAGE = 0x20041f00;

// Addresses that nothing answers to: between boot ROM, flash and its registers, RAM, peripherals, and the processor's own.
function isNowhere(address) {
  if (address >>> 28 === 2) return address >= 0x20042000;
  return (address >= 0x4000 && address < 0x10000000) || (address >= 0x18100000 && address < 0x20000000) || (address >= 0x30000000 && address < 0x40000000) || (address >= 0x60000000 && address < 0xd0000000);
}

// Registers that hold what is written to them.
class Registers extends Peripheral {
  constructor(rp, name) { super(rp, name); this.values = new Map(); }
  readUint32(offset) { return this.values.get(offset) ?? 0; }
  writeUint32(offset, value) { this.values.set(offset, value >>> 0); this.onWrite?.(offset, value >>> 0); }
}

class RingOscillator extends Registers {
  constructor(rp, noise) { super(rp, 'ROSC'); this.noise = noise; this.reads = []; }
  readUint32(offset) {
    if (offset === 0x18) return 0x80001000; // stable and enabled
    if (offset !== 0x1c) return super.readUint32(offset);
    if (this.reads.length < 10000) this.reads.push(this.rp2040.clock.nanos);
    return this.noise() & 1;
  }
}

// The serial interface. It maps the flash when it is set up to send a command and an address by itself (EEPROM read).
class Ssi extends Registers {
  constructor(rp, flash) { super(rp, 'SSI'); this.flash = flash; this.received = []; this.isForced = false; }
  isMapped() { return !this.isForced && (this.readUint32(0x08) & 1) === 1 && ((this.readUint32(0x00) >> 8) & 3) === 3; }
  readUint32(offset) {
    switch (offset) {
      case 0x24: return this.received.length;
      case 0x20: return 0;
      case 0x28: return 0x06 | (this.received.length ? 8 : 0);
      case 0x58: return 0x51535049;
      case 0x5c: return 0x3430312a;
      case 0x60: return this.received.shift() ?? 0;
      default: return super.readUint32(offset);
    }
  }
  writeUint32(offset, value) {
    if (offset === 0x60) {
      // Without a forced select line the interface selects by itself: the second stage sets up the chip so.
      if (!this.isForced) this.flash.select(true);
      if (this.received.length >= 16) this.flash.violations.push('the receive queue overflowed');
      this.received.push(this.flash.shift(value & 0xff));
      return;
    }
    if (offset === 0x08 && !(value & 1)) { if (!this.isForced) this.flash.select(false); this.received = []; }
    super.writeUint32(offset, value);
  }
}

export class Chip extends RP2040 {
  // `memory`: the content of the flash. `noise`: gives the ring oscillator's next bit. `powerUp`: power was applied now.
  constructor({ memory, noise, powerUp, scratch, reason, bootrom, sram, flashSpeed = 1 }) {
    super();
    this.ready = false;
    this.nor = new NorFlash(this.flash, this.clock);
    this.nor.speed = flashSpeed;
    this.ssi = this.peripherals[0x18000] = new Ssi(this, this.nor);
    this.rosc = this.peripherals[0x40060] = new RingOscillator(this, noise);
    const reset = this.peripherals[0x40064] = new Registers(this, 'VREG_AND_CHIP_RESET');
    reset.values.set(8, powerUp ? 1 << 8 : 0); // HAD_POR stays set until another reset of the whole chip
    this.peripherals[0x14000] = new Registers(this, 'XIP_CTRL');
    this.peripherals[0x14000].values.set(8, 3);
    this.selectLine = this.peripherals[0x40018] = new Registers(this, 'IO_QSPI');
    this.selectLine.onWrite = (offset) => { if (offset === 0x0c) this.updateSelectLine(); };
    this.isButtonDown = false;
    const { sio } = this, readSio = sio.readUint32.bind(sio);
    sio.readUint32 = (offset) => offset === 0x08 ? (this.isSelectHigh ? 0x3e : 0x3c) : readSio(offset); // GPIO_HI_IN
    this.watchdog = this.peripherals[0x40058];
    this.watchdog.scratchData.set(scratch ?? []);
    this.watchdog.reason = reason ?? 0;
    this.resetWanted = false;
    this.watchdog.onWatchdogTrigger = () => {
      this.resetWanted = true;
      this.watchdog.alarm.enable = false; // the package would ring it again in the same moment, for ever
    };
    this.faults = [];
    this.lockedUp = false;
    this.lowestStack = 0xffffffff;
    this.logger = { debug() {}, info() {}, warn() {}, error() {} };
    this.loadBootrom(bootrom);
    this.flash.set(memory);
    if (sram) this.sram.set(sram);
    this.updateSelectLine();
    // The boot ROM copies the second stage to the end of RAM and calls it there, with nowhere to return to.
    this.sram.set(memory.subarray(0, 256), SECOND_STAGE - 0x20000000);
    this.core.PC = this.core.SP = SECOND_STAGE;
    this.core.LR = 0;
    this.ready = true;
    this.onBreak = (code) => { this.broke = code; };
  }

  setButton(isDown) { this.isButtonDown = isDown; this.updateSelectLine(); }

  // The button pulls the flash's select line down through a resistor: it shows only while nobody drives the line.
  updateSelectLine() {
    const control = this.selectLine.readUint32(0x0c), output = (control >> 8) & 3, isFloating = ((control >> 12) & 3) === 2;
    this.ssi.isForced = output >= 2;
    if (isFloating) {
      if (this.nor.isSelected) this.nor.violations.push('the select line was let go in the middle of a command');
    } else if (output >= 2) this.nor.select(output === 2);
    this.isSelectHigh = isFloating ? !this.isButtonDown : output !== 2;
  }

  // A fetch or a read of the mapped flash, which a Pico answers with a fault or garbage unless it is mapped and at rest.
  mapped(address) {
    if (this.ready && (!this.ssi.isMapped() || this.nor.isBusy())) this.fault(`mapped flash ${address.toString(16)} while ${this.nor.isBusy() ? 'busy' : 'not mapped'}`);
  }

  fault(what) {
    this.faults.push(`${what}, PC ${this.core.PC.toString(16)}`);
    this.hasFaulted = true;
  }

  readUint32(address) { this.check(address >>> 0); return super.readUint32(address); }
  readUint16(address) { this.check(address >>> 0); return super.readUint16(address); }
  readUint8(address) { this.check(address >>> 0); return super.readUint8(address); }
  writeUint32(address, value) { this.checkWrite(address >>> 0); super.writeUint32(address, value); }
  writeUint16(address, value) { this.checkWrite(address >>> 0); super.writeUint16(address, value); }
  writeUint8(address, value) { this.checkWrite(address >>> 0); super.writeUint8(address, value); }

  check(address) {
    if (address >>> 26 === 4) this.mapped(address);
    else if (isNowhere(address)) this.fault(`read of ${address.toString(16)}`);
  }

  checkWrite(address) {
    // The boot ROM and the mapped flash can only be read.
    if (this.ready && (address < 0x14000000 || isNowhere(address))) this.fault(`write to ${address.toString(16)}`);
  }

  // One instruction; the cycles that it took. A fault becomes an exception, and one within that a lock-up.
  step() {
    const core = this.core, cycles = core.executeInstruction();
    if (this.hasFaulted) this.raise();
    return cycles;
  }

  raise() {
    this.hasFaulted = false;
    if (this.core.IPSR === HARD_FAULT) { this.lockedUp = true; return; }
    this.core.exceptionEntry(HARD_FAULT);
    if (this.hasFaulted) { this.hasFaulted = false; this.lockedUp = true; }
  }
}
