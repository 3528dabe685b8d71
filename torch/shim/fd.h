// The C boundary of package torch: plain C, opaque handles. Every function returns NULL, or a message that the caller
// frees with fd_free_message, and writes its results through pointers. No function throws.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fd_vector fd_vector;    // a flat float32 vector on a device
typedef struct fd_images fd_images;    // uint8 images [N, C, H, W] and their labels on a device
typedef struct fd_network fd_network;  // a layer list with its parameter offsets; immutable
typedef struct fd_engine fd_engine;    // worker threads

void fd_free_message(char *message);

// --- the library -----------------------------------------------------------------------------------------------------

// Sets the allocator's thresholds, one BLAS thread, and one libtorch thread for the caller. Called once per process, before
// any other function.
char *fd_init(void);
// The hash of the headers with which the library was compiled. A program that was compiled with other headers must not call
// the library, because the fields of the structs may have moved.
#define FD_STRING(x) #x
#define FD_TEXT(x) FD_STRING(x)
const char *fd_interface(void);

// libtorch's version ("1.13.1"). The string is static.
char *fd_version(const char **version);
// Whether libtorch has oneDNN, whether it was built with CUDA code, and how many CUDA devices it sees.
char *fd_features(int *onednn, int *cuda_built, int *cuda_devices);
// libtorch's description of itself: its BLAS, oneDNN, CPU capability and how it was built. Freed with fd_free_message.
char *fd_config(char **text);
// The OpenBLAS in this process and the core whose kernels it runs, "OpenBLAS 0.3.21 Zen"; empty if the loader finds
// none. Freed with fd_free_message.
char *fd_openblas(char **text);
// The instruction sets that oneDNN uses, in the bits of dnnl_cpu_isa_t; 0 if oneDNN is hidden inside libtorch.
char *fd_onednn_isa(int *isa);
// The reason why no CUDA device can be used; empty if one can. Freed with fd_free_message.
char *fd_device_problem(char **text);
// The versions of CUDA's run-time library and of the driver, "13.0, driver 13.1"; empty without CUDA code. Freed with
// fd_free_message.
char *fd_cuda_version(char **text);
// A CUDA device's name, "NVIDIA H100"; empty for others. Freed with fd_free_message.
char *fd_device_name(const char *device, char **text);
// Memory of a CUDA device in bytes: the available memory, the total, and the peak of this process.
char *fd_device_memory(const char *device, int64_t *available, int64_t *total, int64_t *peak);
// Number of live handles made by functions of this header, and the bytes of their tensors.
void fd_live(int64_t *handles, int64_t *bytes);

// --- vectors ---------------------------------------------------------------------------------------------------------

// n zeros on device ("cpu", "cuda:0").
char *fd_vector_new(const char *device, int64_t n, fd_vector **out);
void fd_vector_close(fd_vector *v);
// Copies all n values from and to the host.
char *fd_vector_set(fd_vector *v, const float *values, int64_t n);
char *fd_vector_get(const fd_vector *v, float *values, int64_t n);
// A 128-bit hash of the values, computed on the vector's device. For the same seeds, vectors with equal values have equal
// hashes.
char *fd_vector_hash(const fd_vector *v, const uint64_t seeds[2], uint64_t hash[2]);
// dst[dst_begin : dst_begin+n] = src[src_begin : src_begin+n]
char *fd_vector_copy(fd_vector *dst, int64_t dst_begin, const fd_vector *src, int64_t src_begin, int64_t n);
// v[begin:end] += a x[begin:end]
char *fd_vector_axpy(fd_vector *v, double a, const fd_vector *x, int64_t begin, int64_t end);
// v[begin:end] = sum_i w_i x_i[begin:end] / sum_i w_i, added in the order given, in float64.
char *fd_vector_mean(fd_vector *v, const fd_vector *const *xs, const double *weights, int64_t count, int64_t begin,
                     int64_t end);

// --- images ----------------------------------------------------------------------------------------------------------

// Copies n images [n, shape[0], shape[1], shape[2]] to the device. mean and std have one value per channel, in units of
// pixels / 255.
char *fd_images_new(const char *device, const uint8_t *pixels, const uint8_t *labels, int64_t n, const int64_t shape[3],
                    const float *mean, const float *std, fd_images **out);
void fd_images_close(fd_images *images);

// --- networks --------------------------------------------------------------------------------------------------------

enum {
  FD_CONV2D, FD_RELU, FD_MAXPOOL2D, FD_FLATTEN, FD_LINEAR, FD_DROPOUT, FD_AVGPOOL2D, FD_BATCHNORM2D, FD_GROUPNORM,
  FD_RESIDUAL
};
enum { FD_PRIMARY = 1, FD_SECONDARY = 2, FD_HEAD = 4 };

typedef struct {
  int32_t kind;
  char name[28];                             // "conv1", for messages
  int64_t in, out, kernel, stride, padding;  // pooling layers use only kernel, norms only out
  int64_t weight, bias, mean, variance;      // offsets within the encoder; -1 if the layer has none
  int64_t groups;                            // FD_GROUPNORM
  int64_t body, shortcut;                    // FD_RESIDUAL: numbers of layers of its body and shortcut, which follow it
  double p;                                  // FD_DROPOUT
} fd_layer;

// One encoder (dual = 0) or two encoders with the same layers, and a linear head on their concatenated features. State
// layout: primary, secondary, head weight [classes, features or 2 features], head bias [classes]. The first encoder_trained
// of the encoder_size values of an encoder are parameters, the others buffers.
char *fd_network_new(const fd_layer *layers, int64_t count, const int64_t input[3], int64_t encoder_size,
                     int64_t encoder_trained, int64_t features, int64_t classes, int dual, fd_network **out);
void fd_network_close(fd_network *network);

// --- the engine ------------------------------------------------------------------------------------------------------

// Starts the given number of worker threads, each with one libtorch thread. tf32 applies to the products and convolutions of
// a CUDA device. deterministic: nothing is chosen by timing on a CUDA device.
char *fd_engine_new(const char *device, int workers, int tf32, int deterministic, fd_engine **out);
void fd_engine_close(fd_engine *engine);
// Samples trained since the engine was made. May be called from any thread while another is in fd_engine_train.
int64_t fd_engine_progress(const fd_engine *engine);
// Number of images that the calls of fd_engine_predict, or those of fd_stacked_predict with this worker, have passed through an
// encoder, counted once per encoder.
int64_t fd_engine_encoded(const fd_engine *engine);
// Makes calls that are running return the message "cancelled" soon. fd_engine_rearm undoes it for later calls.
void fd_engine_cancel(fd_engine *engine);
void fd_engine_rearm(fd_engine *engine);

typedef struct {
  int64_t client;            // for messages
  const fd_vector *start;    // not changed
  fd_vector *end;            // written: the trained weights
  const int32_t *samples;    // [n] indices into the images
  int64_t n;
  const int32_t *order;      // [epochs, n] positions in samples
  const uint8_t *label_map;  // [256] or NULL
  uint64_t seed;             // seed of the dropout masks
  double *losses;            // [epochs], written: mean training loss over the epoch
  uint8_t *finite;           // written: whether all trained weights are numbers
  const float *weights;      // [n] weight of each sample's loss; NULL for weights of 1
  double proximal;           // mu of the proximal term
  const fd_vector *anchor;   // anchor of the proximal term; NULL for start
  const int32_t *mix;        // FD_MIX: [epochs * batches] item of each step
  const fd_vector *projection_start;  // FD_CONTRAST: not changed
  fd_vector *projection_end;          // FD_CONTRAST: written
} fd_job;

// The objective that is added to the cross-entropy of a batch.
enum { FD_PLAIN, FD_MIX, FD_CONTRAST, FD_DIVERSE };

typedef struct {
  int32_t kind;
  double lambda;             // FD_MIX, FD_CONTRAST, FD_DIVERSE
  double epsilon;            // FD_MIX: width of the central difference
  double mu, tau1, tau2;     // FD_CONTRAST
  double rate;               // FD_CONTRAST: learning rate of the projection
  const fd_vector *images;   // FD_MIX, FD_CONTRAST: [items, C, H, W], normalised
  const fd_vector *labels;   // FD_MIX: [items, classes]
} fd_objective;

// How the gradients of the batches are used: one step of SGD per batch, one per epoch with their mean, or the steps of
// Per-FedAvg.
enum { FD_STEP, FD_STEP_EPOCH, FD_STEP_META };

// What a step does with a gradient g, see kernels.h: SGD with momentum, Adam, or Adam with decoupled weight decay.
enum { FD_SGD, FD_ADAM, FD_ADAMW };

typedef struct {
  int32_t parts;             // trained parts: FD_PRIMARY | FD_SECONDARY | FD_HEAD
  int64_t epochs, batch;
  double learning_rate, momentum, weight_decay;
  int32_t optimizer;         // FD_SGD, FD_ADAM, FD_ADAMW; FD_STEP_META and the stacked engine only support FD_SGD
  double beta1, beta2, epsilon;  // FD_ADAM, FD_ADAMW
  int32_t rule;              // FD_STEP, FD_STEP_EPOCH, FD_STEP_META
  double inner, delta;       // FD_STEP_META: alpha, and delta of the second order; 0 for the first order
  fd_objective objective;
  int32_t plain;             // 1: use only ATen operators, as on a CUDA device, and no fused CPU kernels
} fd_sgd;

char *fd_engine_train(fd_engine *engine, const fd_network *network, const fd_images *images, const fd_job *jobs,
                      int64_t count, const fd_sgd *sgd);

typedef struct {
  const fd_vector *state;
  const int32_t *samples;    // [n] indices into the images
  int64_t n;
  const uint8_t *label_map;  // [256] or NULL
  uint8_t *classes;          // [n], written: the most probable class
  float *losses;             // [n], written: cross-entropy against the image's label after the map
  float *log_probabilities;  // [n, classes], written, or NULL
  float *features;           // [n, the head's inputs], written, or NULL
} fd_prediction;

char *fd_engine_predict(fd_engine *engine, const fd_network *network, const fd_images *images,
                        const fd_prediction *jobs, int64_t count);

// --- the stacked engine ----------------------------------------------------------------------------------------------

typedef struct fd_stacked fd_stacked;  // trains and predicts for all clients of a call at once

enum { FD_FP32, FD_TF32, FD_BF16 };
enum { FD_CHOOSE, FD_COLUMNS, FD_GROUPED, FD_PER_CLIENT, FD_FUSED, FD_TENSOR_CORES };

typedef struct {
  int32_t precision;      // FD_FP32, FD_TF32 (products and convolutions of a CUDA device), FD_BF16 (activations)
  int32_t method;         // method of all convolutions for which it is possible; FD_CHOOSE times the methods if deterministic is 0
  int32_t deterministic;
  int32_t general;        // kernels of a CUDA device are not compiled for the shapes of layers
  int32_t fused;          // all layers of a small network are computed in few kernels where this is possible
} fd_stacked_options;

char *fd_stacked_new(const char *device, const fd_stacked_options *options, fd_stacked **out);
void fd_stacked_close(fd_stacked *stacked);
// Its worker, for fd_engine_progress and fd_engine_cancel; do not close it.
fd_engine *fd_stacked_worker(fd_stacked *stacked);
// Like fd_engine_train and fd_engine_predict.
char *fd_stacked_train(fd_stacked *stacked, const fd_network *network, const fd_images *images, const fd_job *jobs,
                       int64_t count, const fd_sgd *sgd);
char *fd_stacked_predict(fd_stacked *stacked, const fd_network *network, const fd_images *images,
                         const fd_prediction *jobs, int64_t count);
// The peak memory of its calls on the device in bytes, without the caller's vectors and images.
int64_t fd_stacked_peak(const fd_stacked *stacked);
// Frees the memory that earlier calls have kept for later ones.
char *fd_stacked_trim(fd_stacked *stacked);
// How each shape of convolution is computed, one line per shape; freed with fd_free_message.
char *fd_stacked_report(const fd_stacked *stacked, char **text);
// Compiles the kernels of a CUDA build for an architecture ("sm_90") without a device, and returns the size of the code.
char *fd_kernels_compile(const char *architecture, int bf16, int64_t *bytes);
// For tests: the code that a cache folder of compiled kernels has for a name and a key. If the folder does not have it, the
// given code is stored there and returned, and made is 1. See fd::cached_code. Freed with fd_free_message.
char *fd_kernels_cached(const char *folder, const char *name, const char *key, const char *code, int *made, char **text);
// For tests: from now on, the host runs kernels in a library that scripts/build_fibers.sh makes, with a fiber for each thread
// and the order of the threads drawn from seed. An empty library name ends this. The barrier without ("kernel_loss.h:61") is
// left out of the given kernel.
char *fd_kernels_emulate(const char *library, uint64_t seed, const char *kernel, const char *without);
// The names of the library's kernels, one per line, and a report of what has happened since fd_kernels_emulate, with lines
// "ran KERNEL", "barrier KERNEL FILE:LINE", "finding TEXT" and "shaped SOURCE", where SOURCE is the source of a kernel for a
// layer's shape that a GPU would have compiled. Both are freed with fd_free_message.
char *fd_kernels_findings(char **kernels, char **report);

// --- tensors of the eager executor -----------------------------------------------------------------------------------

// A handle is an at::Tensor*, as in gotorch. Every function that returns a handle through out makes a new one, which
// fd_tensor_free frees. Values are float32.
void fd_tensor_free(void *tensor);
// A copy of host values on a device; dims is the length of shape, 0 for a scalar.
char *fd_tensor_of(const char *device, const float *values, const int64_t *shape, int64_t dims, void **out);
// A range of a vector that starts at begin and shares its memory. It has a gradient if trained is not 0.
char *fd_tensor_part(const fd_vector *v, int64_t begin, const int64_t *shape, int64_t dims, int trained, void **out);
// The normalised images at rows, [n, C, H, W], and a host copy of their labels, [n].
char *fd_tensor_images(const fd_images *images, const int32_t *rows, int64_t n, int64_t *labels, void **out);
// The number of dimensions, and the size of each dimension.
char *fd_tensor_dims(void *tensor, int64_t *dims);
char *fd_tensor_shape(void *tensor, int64_t *shape);
// Copies the n values to the host.
char *fd_tensor_values(void *tensor, float *values, int64_t n);

// f(x) of each value; SCALE is a x, SHIFT x + a, CLAMP max(x, a). DETACH is x as a constant, LEAF a copy of x with respect to
// which derivatives can be taken.
enum {
  FD_EACH_SCALE, FD_EACH_SHIFT, FD_EACH_EXP, FD_EACH_LOG, FD_EACH_SQRT, FD_EACH_ABS, FD_EACH_RELU, FD_EACH_SIGMOID,
  FD_EACH_TANH, FD_EACH_SOFTPLUS, FD_EACH_CLAMP, FD_EACH_DETACH, FD_EACH_LEAF
};
char *fd_tensor_each(int op, void *x, double a, void **out);
// f(x, y), with broadcasting; ADD is x + a y, EQUAL 1 or 0, COSINE the cosine of every pair of rows.
enum { FD_PAIR_ADD, FD_PAIR_MUL, FD_PAIR_DIV, FD_PAIR_EQUAL, FD_PAIR_MATMUL, FD_PAIR_COSINE };
char *fd_tensor_pair(int op, void *x, void *y, double a, void **out);
// f over dimensions; n = 0 stands for all of them. SUM to LOG_SUM_EXP drop the dimensions; the others apply to one dimension
// and keep it.
enum {
  FD_OVER_SUM, FD_OVER_MEAN, FD_OVER_MAX, FD_OVER_LOG_SUM_EXP, FD_OVER_SOFTMAX, FD_OVER_LOG_SOFTMAX, FD_OVER_NORMALIZE
};
char *fd_tensor_over(int op, void *x, const int64_t *dims, int64_t n, void **out);
char *fd_tensor_reshape(void *x, const int64_t *shape, int64_t dims, void **out);
char *fd_tensor_transpose(void *x, int64_t a, int64_t b, void **out);
char *fd_tensor_cat(void *const *xs, int64_t n, int64_t dim, void **out);
// The slices of x at index along a dimension.
char *fd_tensor_select(void *x, int64_t dim, const int64_t *index, int64_t n, void **out);
// x[i, columns[i]] for each of the n rows.
char *fd_tensor_pick(void *x, const int64_t *columns, int64_t n, void **out);
// -x[i, labels[i]] for each of the n rows of log-probabilities, or their mean.
char *fd_tensor_nll(void *x, const int64_t *labels, int64_t n, int mean, void **out);
// The derivatives of a scalar with respect to n tensors, which can be differentiated again. They are zero for a tensor on
// which the scalar does not depend.
char *fd_tensor_gradient(void *scalar, void *const *xs, int64_t n, void **out);

// One backward pass from a loss. It writes the derivative with respect to leaf i at begins[i] in the gradient, zeros
// elsewhere, and the value of the loss. A loss that is not a scalar, or depends on no leaf, is an error.
char *fd_tensor_descent(void *loss, void *const *leaves, const int64_t *begins, int64_t n, fd_vector *gradient, double *value);
// A step of SGD on [begin, end): g += decay w + mu (w - anchor); m = inertia m + g; w -= learning_rate m.
char *fd_vector_descend(fd_vector *weights, fd_vector *momentum, fd_vector *gradient, const fd_vector *anchor, double mu,
                        double learning_rate, double inertia, double decay, int64_t begin, int64_t end);
// Step number `steps`, counted from 1, of Adam on [begin, end), or of AdamW if decoupled is not 0, with the proximal term of
// fd_vector_descend in the gradient. See fd::adam_step.
char *fd_vector_adam(fd_vector *weights, fd_vector *momentum, fd_vector *second, fd_vector *gradient, const fd_vector *anchor,
                     double mu, double learning_rate, double beta1, double beta2, double epsilon, double decay,
                     int decoupled, int64_t steps, int64_t begin, int64_t end);
// The dropout mask of (seed, step, layer) for activations of a shape, as the engine draws it. Its values are 0 and 1/(1-p).
char *fd_dropout_mask(uint64_t seed, int64_t step, int64_t layer, double p, const char *device, const int64_t *shape,
                      int64_t dims, void **out);

// C = alpha op(A) op(B) + beta C for row-major float64 matrices in host memory; op transposes if its flag is not 0. C is m x
// n, op(A) m x k, op(B) k x n; ld is the distance between stored rows. With beta 0, C is not read. Uses one thread.
char *fd_gemm(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
              const double *b, int64_t ldb, double beta, double *c, int64_t ldc);

#ifdef __cplusplus
}
#endif
