/* edgepkg: neural networks on microcontrollers, without a C library and without allocation.
 *
 * A null or misaligned pointer gives an error. Any other points to what its type says, of the length that is stated; nobody else
 * uses a session, its model or its arena during a call. Two threads, or a task and an interrupt, may each have sessions of their own.
 *
 * Made from firmware/c by cbindgen: do not edit. */
#ifndef EDGEPKG_H
#define EDGEPKG_H

#include <stddef.h>
#include <stdint.h>

/* Before the definition of an array: it starts at a multiple of 16, as artifacts and arenas do. */
#ifdef __cplusplus
#define EDGEPKG_ALIGNED alignas(16)
#else
#define EDGEPKG_ALIGNED _Alignas(16)
#endif

/* The code of one operator. A program has the code of those that it names. */
typedef struct edgepkg_operator edgepkg_operator;

/**
 * What a call came to. Codes are never reused.
 */
enum edgepkg_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * It did what it was asked.
   */
  EDGEPKG_STATUS_OK = 0,
  /**
   * The run is complete: there was no step left.
   */
  EDGEPKG_STATUS_DONE = 1,
  /**
   * A pointer is null that may not be.
   */
  EDGEPKG_STATUS_NULL_POINTER = 2,
  /**
   * A pointer to a model, session, network or tensor is not aligned as its type is.
   */
  EDGEPKG_STATUS_MISALIGNED_POINTER = 3,
  /**
   * The model was not parsed, or not with success.
   */
  EDGEPKG_STATUS_MODEL_NOT_PARSED = 4,
  /**
   * The session was not opened, or not with success.
   */
  EDGEPKG_STATUS_SESSION_NOT_OPEN = 5,
  /**
   * The artifact does not start at a multiple of 16.
   */
  EDGEPKG_STATUS_ARTIFACT_MISALIGNED = 6,
  /**
   * The bytes are not an artifact, are cut short, or contradict each other.
   */
  EDGEPKG_STATUS_ARTIFACT_DAMAGED = 7,
  /**
   * The artifact has a format version that this library does not read.
   */
  EDGEPKG_STATUS_ARTIFACT_VERSION = 8,
  /**
   * The artifact is lowered for another instruction set than this library's.
   */
  EDGEPKG_STATUS_INSTRUCTION_SET = 9,
  /**
   * The model uses an operator that is not in the table.
   */
  EDGEPKG_STATUS_MISSING_OPERATOR = 10,
  /**
   * The arena has fewer bytes than edgepkg_model_arena_bytes says.
   */
  EDGEPKG_STATUS_ARENA_TOO_SMALL = 11,
  /**
   * The arena does not start at a multiple of 16.
   */
  EDGEPKG_STATUS_ARENA_MISALIGNED = 12,
  /**
   * An input was not asked for since the last run, which may have overwritten it.
   */
  EDGEPKG_STATUS_INPUT_NOT_SET = 13,
  /**
   * The model has no input or output of this index.
   */
  EDGEPKG_STATUS_NO_SUCH_TENSOR = 14,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum edgepkg_status edgepkg_status;
#else
typedef int32_t edgepkg_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The type of a tensor's elements.
 */
enum edgepkg_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * 8-bit signed.
   */
  EDGEPKG_TYPE_INT8 = 0,
  /**
   * 16-bit signed.
   */
  EDGEPKG_TYPE_INT16 = 1,
  /**
   * 32-bit signed.
   */
  EDGEPKG_TYPE_INT32 = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum edgepkg_type edgepkg_type;
#else
typedef int32_t edgepkg_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A model that has been checked, in storage that may begin as anything. It refers to the network and must stay where it is.
 */
typedef struct {
  /**
   * The library's own.
   */
  size_t storage[16];
} edgepkg_model;

/**
 * What a program has of a model, in flash: `edgepkg build --emit c` writes one as NAME_network.
 */
typedef struct {
  /**
   * The artifact. It starts at a multiple of 16.
   */
  const uint8_t *artifact;
  /**
   * Its bytes.
   */
  size_t artifact_bytes;
  /**
   * The operators that it uses, or more.
   */
  const edgepkg_operator *const *operators;
  /**
   * How many these are.
   */
  size_t operator_count;
} edgepkg_network;

/**
 * A model in an arena, in storage that may begin as anything. It refers to the model and to the arena, which must stay where
 * they are.
 */
typedef struct {
  /**
   * The library's own.
   */
  size_t storage[8];
} edgepkg_session;

/**
 * An input or output, where it lies in the arena.
 */
typedef struct {
  /**
   * Its elements, row-major.
   */
  void *data;
  /**
   * Bytes of all of them.
   */
  size_t bytes;
  /**
   * The type of each.
   */
  edgepkg_type type;
  /**
   * real = scale * (element - zero_point)
   */
  float scale;
  /**
   * The element that stands for 0.
   */
  int32_t zero_point;
} edgepkg_tensor;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What `status` means, in a few words; of a number that is no status, that it is none.
 */
const char *edgepkg_status_text(int32_t status);

/**
 * Checks a network and puts the model into `model`. No allocation, no copy: the network, its artifact and its table must stay
 * for as long as the model is used.
 */
edgepkg_status edgepkg_model_parse(edgepkg_model *model,
                                   const edgepkg_network *network);

/**
 * Bytes of arena that a session of `model` needs; 0 of a model that was not parsed.
 */
size_t edgepkg_model_arena_bytes(const edgepkg_model *model);

/**
 * Compares the artifact with the SHA-256 in its header: whether its bytes are those that were built. EDGEPKG_STATUS_ARTIFACT_DAMAGED
 * says that they are not.
 */
edgepkg_status edgepkg_model_verify_digest(const edgepkg_model *model);

/**
 * Starts a session of `model` in `arena`, which starts at a multiple of 16. What the model keeps between runs has its
 * initial value.
 *
 * Sessions may share an arena, of the greatest of their sizes: each sets its inputs, runs and reads its outputs before the next one
 * does. A model that keeps something between runs needs an arena of its own.
 */
edgepkg_status edgepkg_session_open(edgepkg_session *session,
                                    const edgepkg_model *model,
                                    int8_t *arena,
                                    size_t arena_bytes);

/**
 * Goes on where an earlier session of `model` ended in `arena`: what it kept is still there. Otherwise as edgepkg_session_open.
 */
edgepkg_status edgepkg_session_resume(edgepkg_session *session,
                                      const edgepkg_model *model,
                                      int8_t *arena,
                                      size_t arena_bytes);

/**
 * Gives what the model keeps between runs its initial value.
 */
edgepkg_status edgepkg_session_reset(edgepkg_session *session);

/**
 * The input at `index`, to be written through `tensor->data` before the next run, which may overwrite it. Asking for it counts as
 * setting it.
 */
edgepkg_status edgepkg_session_input(edgepkg_session *session,
                                     size_t index,
                                     edgepkg_tensor *tensor);

/**
 * The output at `index`, to be read through `tensor->data` until the arena's next run.
 */
edgepkg_status edgepkg_session_output(edgepkg_session *session, size_t index, edgepkg_tensor *tensor);

/**
 * Runs one operator. EDGEPKG_STATUS_DONE says that none was left: the run is complete, and the next step begins a new one.
 * Between steps a program feeds its watchdog, polls its inputs or lets other tasks go on.
 */
edgepkg_status edgepkg_session_step(edgepkg_session *session);

/**
 * Runs the whole model, or the rest of a run that was begun by steps.
 */
edgepkg_status edgepkg_session_run(edgepkg_session *session);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus


#ifdef __cplusplus
extern "C" {
#endif

extern const edgepkg_operator edgepkg_operator_Conv2d;
extern const edgepkg_operator edgepkg_operator_DepthwiseConv2d;
extern const edgepkg_operator edgepkg_operator_FullyConnected;
extern const edgepkg_operator edgepkg_operator_Add;
extern const edgepkg_operator edgepkg_operator_Mul;
extern const edgepkg_operator edgepkg_operator_AveragePool2d;
extern const edgepkg_operator edgepkg_operator_MaxPool2d;
extern const edgepkg_operator edgepkg_operator_Mean;
extern const edgepkg_operator edgepkg_operator_Softmax;
extern const edgepkg_operator edgepkg_operator_Lookup;
extern const edgepkg_operator edgepkg_operator_Fill;
extern const edgepkg_operator edgepkg_operator_StridedCopy;
extern const edgepkg_operator edgepkg_operator_Requantize;
extern const edgepkg_operator edgepkg_operator_PackedConv2d;
extern const edgepkg_operator edgepkg_operator_PackedDepthwiseConv2d;
extern const edgepkg_operator edgepkg_operator_PackedFullyConnected;
extern const edgepkg_operator edgepkg_operator_Gather;
extern const edgepkg_operator edgepkg_operator_Binary;
extern const edgepkg_operator edgepkg_operator_LogSoftmax;
extern const edgepkg_operator edgepkg_operator_ResizeBilinear;
extern const edgepkg_operator edgepkg_operator_TransposeConv2d;
extern const edgepkg_operator edgepkg_operator_BatchMatMul;
extern const edgepkg_operator edgepkg_operator_CumulativeSum;
extern const edgepkg_operator edgepkg_operator_ArgExtreme;
extern const edgepkg_operator edgepkg_operator_Select;
extern const edgepkg_operator edgepkg_operator_Conv2d16;
extern const edgepkg_operator edgepkg_operator_Softmax16;
extern const edgepkg_operator edgepkg_operator_Sigmoid16;
extern const edgepkg_operator edgepkg_operator_LeakyRelu16;
extern const edgepkg_operator edgepkg_operator_Interpolate16;
extern const edgepkg_operator edgepkg_operator_TopIndices;
extern const edgepkg_operator edgepkg_operator_Div;
extern const edgepkg_operator edgepkg_operator_NonMaxSuppression;
extern const edgepkg_operator edgepkg_operator_Add16;
extern const edgepkg_operator edgepkg_operator_Sub16;
extern const edgepkg_operator edgepkg_operator_SquaredDifference16;
extern const edgepkg_operator edgepkg_operator_Mul16;
extern const edgepkg_operator edgepkg_operator_AveragePool2d16;
extern const edgepkg_operator edgepkg_operator_MaxPool2d16;
extern const edgepkg_operator edgepkg_operator_Mean16;
extern const edgepkg_operator edgepkg_operator_Svdf;
extern const edgepkg_operator edgepkg_operator_Lstm;
extern const edgepkg_operator edgepkg_operator_BatchMatMul16;
extern const edgepkg_operator edgepkg_operator_Binary16;
extern const edgepkg_operator edgepkg_operator_Recurrent;

#ifdef __cplusplus
}
#endif

#endif /* EDGEPKG_H */
