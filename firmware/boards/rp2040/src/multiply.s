// 64 times 64 bits, the lower 64: what the curves spend a third of their time in, as the Cortex-M0+ multiplies 32 bits only.
// The compiler's own takes 55 cycles, most of them for moving registers to the stack and back; this takes 29, whatever the
// numbers are. r1:r0 times r3:r2 into r1:r0 (Run-time ABI for the Arm Architecture, §5.2).
    .syntax unified
    .section .text.__aeabi_lmul, "ax", %progbits
    .global __aeabi_lmul
    .type __aeabi_lmul, %function
    .thumb_func
    .balign 4
__aeabi_lmul:
    push {{r4, lr}}
    // What only counts in the upper word.
    muls r1, r2, r1
    muls r3, r0, r3
    adds r1, r1, r3
    mov r12, r1
    // The lower words, by halves.
    lsrs r3, r0, #16
    lsrs r1, r2, #16
    uxth r0, r0
    uxth r2, r2
    movs r4, r1
    muls r4, r0, r4
    muls r1, r3, r1
    muls r3, r2, r3
    muls r0, r2, r0
    // The two in the middle, with their carry.
    movs r2, #0
    adds r3, r3, r4
    adcs r2, r2
    lsls r2, r2, #16
    lsrs r4, r3, #16
    adds r2, r2, r4
    lsls r3, r3, #16
    adds r0, r0, r3
    adcs r1, r2
    add r1, r12
    pop {{r4, pc}}
    .size __aeabi_lmul, . - __aeabi_lmul
