# The empty kernel: some text to have a size, and one call so that there is a relocation to process, then return 0.
        .section .start, "ax", @progbits
        .globl _start
        .type _start, @function
_start: addi    sp, sp, -16
        sw      ra, 12(sp)
        call    body
        lw      ra, 12(sp)
        addi    sp, sp, 16
        li      a0, 0
        ret
        .size _start, . - _start

        .text
        .type body, @function
body:   .rept 56
        nop
        .endr
        ret
        .size body, . - body
