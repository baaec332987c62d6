/* Arm's semihosting, which debuggers and emulators answer. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT = 0x18 };
enum { MODE_WRITE = 4 };
enum { STOPPED_RUN_TIME_ERROR = 0x20023, STOPPED_APPLICATION_EXIT = 0x20026 };

static inline uintptr_t semihosting(uintptr_t operation, uintptr_t argument)
{
    uintptr_t answer;
    __asm__ volatile("mov r0, %1\n\tmov r1, %2\n\tbkpt #0xab\n\tmov %0, r0"
                     : "=r"(answer)
                     : "r"(operation), "r"(argument)
                     : "r0", "r1", "memory");
    return answer;
}

static inline void write_text(const char *text)
{
    static const char console[] = ":tt";
    static uintptr_t handle;
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    if (handle == 0) {
        const uintptr_t open[] = {(uintptr_t)console, MODE_WRITE, sizeof console - 1};
        handle = semihosting(SYS_OPEN, (uintptr_t)open);
    }
    const uintptr_t write[] = {handle, (uintptr_t)text, length};
    semihosting(SYS_WRITE, (uintptr_t)write);
}

static inline void write_number(int number)
{
    char digits[12];
    char *first = digits + sizeof digits - 1;
    unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;
    *first = '\0';
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--first = '-';
    }
    write_text(first);
}

static inline void leave(int reason)
{
    semihosting(SYS_EXIT, (uintptr_t)reason);
    for (;;) {
    }
}

#endif
