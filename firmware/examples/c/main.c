/* Says which word was spoken in recordings whose features lie in flash. */
#include "keywords.h"
#include "semihosting.h"

#define RECORDINGS 4

/* recordings.S */
extern const KEYWORDS_INPUT_0_TYPE recordings[RECORDINGS][KEYWORDS_INPUT_0_LEN];

static EDGEPKG_ALIGNED int8_t arena[KEYWORDS_ARENA_BYTES];

static size_t greatest(const int8_t *scores)
{
    size_t best = 0;
    for (size_t word = 1; word < KEYWORDS_OUTPUT_0_LEN; word++) {
        if (scores[word] > scores[best]) {
            best = word;
        }
    }
    return best;
}

static edgepkg_status listen_to(edgepkg_session *session, const int8_t *features)
{
    edgepkg_tensor input, output;
    edgepkg_status status = edgepkg_session_input(session, 0, &input);
    if (status != EDGEPKG_STATUS_OK) {
        return status;
    }
    /* What computes features writes them where the model reads them. */
    for (size_t index = 0; index < KEYWORDS_INPUT_0_LEN; index++) {
        ((int8_t *)input.data)[index] = features[index];
    }
    /* Or edgepkg_session_step, operator by operator, with a watchdog fed in between. */
    status = edgepkg_session_run(session);
    if (status != EDGEPKG_STATUS_OK) {
        return status;
    }
    status = edgepkg_session_output(session, 0, &output);
    if (status != EDGEPKG_STATUS_OK) {
        return status;
    }
    const int8_t *scores = output.data;
    write_text(keywords_output_0_labels[greatest(scores)]);
    write_text("\n");
    for (size_t word = 0; word < KEYWORDS_OUTPUT_0_LEN; word++) {
        write_text(" ");
        write_number(scores[word]);
    }
    write_text("\n");
    return EDGEPKG_STATUS_OK;
}

static edgepkg_status listen(void)
{
    edgepkg_model model;
    edgepkg_session session;
    edgepkg_status status = edgepkg_model_parse(&model, &keywords_network);
    if (status == EDGEPKG_STATUS_OK) {
        status = edgepkg_session_open(&session, &model, arena, sizeof arena);
    }
    for (int recording = 0; status == EDGEPKG_STATUS_OK && recording < RECORDINGS; recording++) {
        status = listen_to(&session, recordings[recording]);
    }
    return status;
}

int main(void)
{
    edgepkg_status status = listen();
    if (status != EDGEPKG_STATUS_OK) {
        write_text(edgepkg_status_text(status));
        write_text("\n");
        leave(STOPPED_RUN_TIME_ERROR);
    }
    leave(STOPPED_APPLICATION_EXIT);
    return 0;
}
