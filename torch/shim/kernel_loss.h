// Cross-entropy: the loss and its gradient in training, the loss and the class in evaluation.
#pragma once

#include "kernel_batch.h"
#include "kernel_code.h"

namespace fd {

struct CrossEntropy {
  Batch batch;
  const void *logits;    // [clients, samples, classes]
  void *grad;            // like logits: the gradient of the sum of the clients' mean losses
  const int *labels;     // by row
  const float *weights;  // weight of each row's loss; null for weights of 1
  const int *steps;      // number of steps in an epoch, by client
  const int *sizes;      // number of samples in an epoch, by client
  double *losses;        // [clients, epochs], added to: the mean over the epoch
  int classes, epochs;
};

// logits -> their largest and the logarithm of the sum of exponentials above it.
template <typename T>
FD_DEVICE void normaliser(const T *logits, int classes, float &most, float &rest) {
  most = get(logits);
  for (int c = 1; c < classes; c++) most = get(logits + c) > most ? get(logits + c) : most;
  float sum = 0;
  for (int c = 0; c < classes; c++) sum += expf(get(logits + c) - most);
  rest = logf(sum);
}

// The loss of one sample.
struct SampleLoss {
  float most, rest;     // of normaliser
  float weight, scale;  // weight of the sample, and the same divided by the number of samples of the batch
  int label;
};
template <typename T>
FD_DEVICE SampleLoss sample_loss(const CrossEntropy &a, int client, int row, const T *logits) {
  SampleLoss s{0, 0, a.weights == nullptr ? 1.0f : a.weights[row], 0, a.labels[row]};
  normaliser(logits, a.classes, s.most, s.rest);
  s.scale = s.weight / count_of(a.batch, client);
  return s;
}
template <typename T>
FD_DEVICE float loss_of(const SampleLoss &s, const T *logits) {
  return (s.most + s.rest - get(logits + s.label)) * s.weight;
}
// The gradient of the batch's loss with respect to the logit of class c.
template <typename T>
FD_DEVICE float loss_back(const SampleLoss &s, const T *logits, int c) {
  return (expf(get(logits + c) - s.most - s.rest) - (c == s.label ? 1.0f : 0.0f)) * s.scale;
}

// Adds the losses of the first n samples of a client's batch to the mean over the epoch.
FD_DEVICE void add_losses(const CrossEntropy &a, i64 client, const float *each, int n) {
  FD_EACH(t, 1) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += each[j];
    a.losses[client * a.epochs + *a.batch.step / a.steps[client]] += sum / a.sizes[client];
  }
}

// A block is a client. Padding has no loss and no gradient. Shared memory: [samples].
template <typename T>
FD_DEVICE void cross_entropy_step(const CrossEntropy &a, i64 block, float *each) {
  int client = static_cast<int>(block);
  FD_EACH(j, a.batch.samples) {
    i64 at = (block * a.batch.samples + j) * a.classes;
    const T *logits = static_cast<const T *>(a.logits) + at;
    T *grad = static_cast<T *>(a.grad) + at;
    int row = slot_of(a.batch, client, j);
    each[j] = 0;
    if (row < 0) {
      for (int c = 0; c < a.classes; c++) put(grad + c, 0.0f);
      continue;
    }
    SampleLoss loss = sample_loss(a, client, row, logits);
    for (int c = 0; c < a.classes; c++) put(grad + c, loss_back(loss, logits, c));
    each[j] = loss_of(loss, logits);
  }
  FD_SYNC;
  add_losses(a, block, each, a.batch.samples);
}
FD_KERNELS(cross_entropy_step, CrossEntropy)

struct Score {
  Batch batch;
  const void *logits;        // [clients, samples, classes]
  const int *labels;         // by row
  u8 *most;                  // by row: the most probable class, the lowest of equals
  float *losses;             // by row
  float *log_probabilities;  // [rows, classes], or null
  int classes;
};

// A block is a client.
template <typename T>
FD_DEVICE void score(const Score &a, i64 block, float *) {
  FD_EACH(j, a.batch.samples) {
    int row = slot_of(a.batch, static_cast<int>(block), j);
    if (row < 0) continue;
    const T *logits = static_cast<const T *>(a.logits) + (block * a.batch.samples + j) * a.classes;
    float most, rest;
    normaliser(logits, a.classes, most, rest);
    int best = 0;
    for (int c = 1; c < a.classes; c++) best = get(logits + c) > get(logits + best) ? c : best;
    a.most[row] = static_cast<u8>(best);
    a.losses[row] = most + rest - get(logits + a.labels[row]);
    if (a.log_probabilities == nullptr) continue;
    for (int c = 0; c < a.classes; c++) a.log_probabilities[static_cast<i64>(row) * a.classes + c] = get(logits + c) - most - rest;
  }
}
FD_KERNELS(score, Score)

}  // namespace fd
