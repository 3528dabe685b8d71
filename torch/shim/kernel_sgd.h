// One step of SGD for all clients.
#pragma once

#include "kernel_code.h"

namespace fd {

struct Sgd {
  float *weights;         // [clients, stride]
  const float *grads;     // like weights
  float *momentum;        // like weights
  const float *anchor;    // like weights, or null if no client has a proximal term
  const float *mu;        // µ of the proximal term, by client
  const float *settings;  // learning rate, momentum, weight decay
  i64 stride;
  i64 begin[3], size[3];  // the ranges of a client's values that SGD changes
  i64 chunks;             // number of chunks of all ranges together
};

// A step for value k, of a client, with gradient g. g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
FD_DEVICE void sgd_value(const Sgd &a, i64 client, i64 k, float g, float lr, float momentum, float decay) {
  float w = a.weights[k];
  g += decay * w;
  if (a.anchor != nullptr && a.mu[client] > 0) g += a.mu[client] * (w - a.anchor[k]);
  float m = momentum * a.momentum[k] + g;
  a.momentum[k] = m;
  a.weights[k] = w - lr * m;
}

// A block is a chunk of a client.
FD_DEVICE void sgd(const Sgd &a, i64 block, float *) {
  i64 client = quotient(block, a.chunks), chunk = block - client * a.chunks;
  float lr = a.settings[0], momentum = a.settings[1], decay = a.settings[2];
  FD_EACH(i, chunk_size(chunk, a.size[0] + a.size[1] + a.size[2])) {
    i64 k = chunk_begin(chunk) + i;
    i64 begin = a.begin[0];  // no index that varies: it would put the struct on the stack of every thread
    if (k >= a.size[0]) {
      k -= a.size[0];
      begin = a.begin[1];
      if (k >= a.size[1]) {
        k -= a.size[1];
        begin = a.begin[2];
      }
    }
    k += client * a.stride + begin;
    sgd_value(a, client, k, a.grads[k], lr, momentum, decay);
  }
}
FD_KERNEL(sgd_step, sgd, Sgd)

}  // namespace fd
