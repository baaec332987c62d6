    .section .rodata.recordings, "a"
    .balign 4
    .global recordings
recordings:
    .incbin "recordings.bin"
    .section .note.GNU-stack, "", %progbits
