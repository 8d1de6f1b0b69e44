// Copies the image from flash into RAM, 16 bytes at a time, and starts it. Nothing is in RAM yet, so it uses no stack.
.section .loader, "ax"
.syntax unified
.global loader
.thumb_func
loader:
    ldr r0, =image_load
    ldr r1, =image_start
    ldr r2, =image_end
1:
    ldmia r0!, {{r3, r4, r5, r6}}
    stmia r1!, {{r3, r4, r5, r6}}
    cmp r1, r2
    blo 1b
    ldr r0, =image_start
    ldr r1, =0xE000ED08 // VTOR
    str r0, [r1]
    ldmia r0!, {{r1, r2}}
    msr msp, r1
    bx r2
.pool
