/* Says which word was spoken in recordings whose features lie in flash. */
#include "keywords.h"

#define RECORDINGS 4

/* recordings.S */
extern const int8_t recordings[RECORDINGS][KEYWORDS_INPUT_0_LEN];

static _Alignas(16) int8_t arena[KEYWORDS_ARENA_BYTES];

/* Arm's semihosting, which debuggers and emulators answer. */
enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18 };
enum { STOPPED_RUN_TIME_ERROR = 0x20023, STOPPED_APPLICATION_EXIT = 0x20026 };

static void semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt #0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void write_text(const char *text)
{
    semihosting(SYS_WRITE0, text);
}

static void write_number(int number)
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

static edgepkg_status listen(void)
{
    edgepkg_model model;
    edgepkg_session session;
    edgepkg_status status = edgepkg_model_parse(&model, keywords_artifact, sizeof keywords_artifact,
                                                keywords_operators, KEYWORDS_OPERATOR_COUNT);
    if (status != EDGEPKG_STATUS_OK) {
        return status;
    }
    status = edgepkg_session_open(&session, &model, arena, sizeof arena);
    for (int recording = 0; status == EDGEPKG_STATUS_OK && recording < RECORDINGS; recording++) {
        edgepkg_tensor input, output;
        status = edgepkg_session_input(&session, 0, &input);
        if (status != EDGEPKG_STATUS_OK) {
            break;
        }
        for (size_t index = 0; index < KEYWORDS_INPUT_0_LEN; index++) {
            ((int8_t *)input.data)[index] = recordings[recording][index];
        }
        status = edgepkg_session_run(&session);
        if (status != EDGEPKG_STATUS_OK) {
            break;
        }
        status = edgepkg_session_output(&session, 0, &output);
        if (status != EDGEPKG_STATUS_OK) {
            break;
        }
        const int8_t *scores = output.data;
        size_t best = 0;
        for (size_t class = 1; class < KEYWORDS_OUTPUT_0_LEN; class++) {
            if (scores[class] > scores[best]) {
                best = class;
            }
        }
        write_text(keywords_output_0_labels[best]);
        write_text("\n");
        for (size_t class = 0; class < KEYWORDS_OUTPUT_0_LEN; class++) {
            write_text(" ");
            write_number(scores[class]);
        }
        write_text("\n");
    }
    return status;
}

int main(void)
{
    edgepkg_status status = listen();
    if (status != EDGEPKG_STATUS_OK) {
        write_text("error: ");
        write_text(edgepkg_status_text(status));
        write_text("\n");
        semihosting(SYS_EXIT, (const void *)STOPPED_RUN_TIME_ERROR);
    }
    semihosting(SYS_EXIT, (const void *)STOPPED_APPLICATION_EXIT);
    for (;;) {
    }
}
