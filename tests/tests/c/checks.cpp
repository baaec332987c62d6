// What the library answers to wrong use, and two models at once: compiled as C++, to show that the headers are.
#include "keywords.h"
#include "reference.h"
#include "semihosting.h"

constexpr size_t ARENA_BYTES =
    KEYWORDS_ARENA_BYTES > REFERENCE_ARENA_BYTES ? KEYWORDS_ARENA_BYTES : REFERENCE_ARENA_BYTES;
static_assert(KEYWORDS_INPUT_0_LEN == REFERENCE_INPUT_0_LEN, "both take the recordings");

extern "C" const int8_t recordings[4][KEYWORDS_INPUT_0_LEN];
extern "C" int main();

EDGEPKG_ALIGNED static int8_t arena[ARENA_BYTES + 1];
EDGEPKG_ALIGNED static int8_t other_arena[ARENA_BYTES];
EDGEPKG_ALIGNED static uint8_t artifact[KEYWORDS_ARTIFACT_BYTES];
static const edgepkg_network &network = keywords_network;

static void say(const char *what, int32_t status)
{
    write_text(what);
    write_text(": ");
    write_text(edgepkg_status_text(status));
    write_text("\n");
}

template <typename T> static T *misaligned(T *pointer)
{
    return reinterpret_cast<T *>(reinterpret_cast<uintptr_t>(pointer) + 1);
}

// Parses the artifact's copy with one byte changed.
static edgepkg_status parse_changed(edgepkg_model *model, size_t at)
{
    for (size_t index = 0; index < sizeof artifact; index++) {
        artifact[index] = network.artifact[index];
    }
    artifact[at] ^= 0x40;
    const edgepkg_network changed = {artifact, sizeof artifact, network.operators, network.operator_count};
    return edgepkg_model_parse(model, &changed);
}

static void check_models()
{
    edgepkg_model model = {};
    say("a null model", edgepkg_model_parse(nullptr, &network));
    say("a misaligned model", edgepkg_model_parse(misaligned(&model), &network));
    say("a null network", edgepkg_model_parse(&model, nullptr));
    say("a misaligned network", edgepkg_model_parse(&model, misaligned(&network)));
    edgepkg_network wrong = network;
    wrong.artifact = nullptr;
    say("a null artifact", edgepkg_model_parse(&model, &wrong));
    wrong.artifact = network.artifact + 1;
    say("a misaligned artifact", edgepkg_model_parse(&model, &wrong));
    wrong = network;
    wrong.artifact_bytes -= 16;
    say("a short artifact", edgepkg_model_parse(&model, &wrong));
    wrong.artifact_bytes = 0;
    say("an empty artifact", edgepkg_model_parse(&model, &wrong));
    wrong = network;
    wrong.operators = nullptr;
    say("a null table", edgepkg_model_parse(&model, &wrong));
    wrong = network;
    wrong.operator_count -= 1;
    say("a short table", edgepkg_model_parse(&model, &wrong));
    say("another format version", parse_changed(&model, 8));
    say("another instruction set", parse_changed(&model, 10));
    say("a damaged section table", parse_changed(&model, 100));
    say("a model that was not parsed", edgepkg_model_verify_digest(&model));
    write_number(static_cast<int>(edgepkg_model_arena_bytes(&model)));
    write_text(" bytes of arena for it\n");
    say("a changed weight", parse_changed(&model, sizeof artifact - 100));
    say("its digest", edgepkg_model_verify_digest(&model));
    say("the model", edgepkg_model_parse(&model, &network));
    say("its digest", edgepkg_model_verify_digest(&model));
    say("a code that is no status", 1000);
    say("a negative code", -1);
}

static void check_sessions()
{
    edgepkg_model model = {};
    edgepkg_session session = {};
    edgepkg_tensor tensor;
    say("a session of a model that was not parsed", edgepkg_session_open(&session, &model, arena, sizeof arena));
    edgepkg_model_parse(&model, &network);
    say("a null session", edgepkg_session_open(nullptr, &model, arena, sizeof arena));
    say("a misaligned session", edgepkg_session_open(misaligned(&session), &model, arena, sizeof arena));
    say("a session of a null model", edgepkg_session_open(&session, nullptr, arena, sizeof arena));
    say("a null arena", edgepkg_session_open(&session, &model, nullptr, sizeof arena));
    say("a short arena", edgepkg_session_open(&session, &model, arena, KEYWORDS_ARENA_BYTES - 1));
    say("a misaligned arena", edgepkg_session_open(&session, &model, arena + 1, sizeof arena - 1));
    say("a run that is not open", edgepkg_session_run(&session));
    say("a session", edgepkg_session_open(&session, &model, arena, KEYWORDS_ARENA_BYTES));
    say("a step without input", edgepkg_session_step(&session));
    say("an input that is not there", edgepkg_session_input(&session, 1, &tensor));
    say("an output that is not there", edgepkg_session_output(&session, 9, &tensor));
    say("a null tensor", edgepkg_session_input(&session, 0, nullptr));
    say("a misaligned tensor", edgepkg_session_output(&session, 0, misaligned(&tensor)));
    say("a null session's run", edgepkg_session_run(nullptr));
    say("a null session's reset", edgepkg_session_reset(nullptr));
}

static void set(edgepkg_session *session, int recording)
{
    edgepkg_tensor input;
    say("input", edgepkg_session_input(session, 0, &input));
    for (size_t index = 0; index < input.bytes; index++) {
        static_cast<int8_t *>(input.data)[index] = recordings[recording][index];
    }
}

static void write_scores(const char *of, edgepkg_session *session)
{
    edgepkg_tensor output;
    edgepkg_session_output(session, 0, &output);
    write_text(of);
    for (size_t index = 0; index < output.bytes; index++) {
        write_text(" ");
        write_number(static_cast<const int8_t *>(output.data)[index]);
    }
    write_text("\n");
}

// Turn by turn in one arena, then step by step in one each.
static void check_two_models()
{
    edgepkg_model models[2];
    edgepkg_session keywords, reference;
    say("keywords", edgepkg_model_parse(&models[0], &keywords_network));
    say("reference", edgepkg_model_parse(&models[1], &reference_network));
    edgepkg_session_open(&keywords, &models[0], arena, sizeof arena);
    edgepkg_session_open(&reference, &models[1], arena, sizeof arena);
    for (int recording = 0; recording < 2; recording++) {
        set(&keywords, recording);
        say("run", edgepkg_session_run(&keywords));
        write_scores("keywords:", &keywords);
        set(&reference, recording);
        say("run", edgepkg_session_run(&reference));
        write_scores("reference:", &reference);
    }
    edgepkg_session_open(&reference, &models[1], other_arena, sizeof other_arena);
    set(&keywords, 2);
    set(&reference, 2);
    edgepkg_status first = EDGEPKG_STATUS_OK, second = EDGEPKG_STATUS_OK;
    int steps = 0;
    while (first == EDGEPKG_STATUS_OK || second == EDGEPKG_STATUS_OK) {
        first = first == EDGEPKG_STATUS_OK ? edgepkg_session_step(&keywords) : first;
        second = second == EDGEPKG_STATUS_OK ? edgepkg_session_step(&reference) : second;
        steps++;
    }
    say("steps of keywords", first);
    say("steps of reference", second);
    write_scores("keywords:", &keywords);
    write_scores("reference:", &reference);
    write_number(steps);
    write_text(" steps\n");
    say("a second run without input", edgepkg_session_run(&keywords));
}

int main()
{
    check_models();
    check_sessions();
    check_two_models();
    leave(STOPPED_APPLICATION_EXIT);
    return 0;
}
