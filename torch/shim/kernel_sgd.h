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

// A step for value w with gradient g and momentum m. g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
struct SgdSettings {
  float lr, momentum, decay, mu;  // mu: 0 if the client has no proximal term
};
FD_DEVICE SgdSettings settings_of(const Sgd &a, i64 client) {
  return SgdSettings{a.settings[0], a.settings[1], a.settings[2], a.anchor == nullptr ? 0.0f : a.mu[client]};
}
FD_DEVICE void sgd_value(const SgdSettings &s, float g, float anchor, float &w, float &m) {
  g += s.decay * w;
  if (s.mu > 0) g += s.mu * (w - anchor);
  m = s.momentum * m + g;
  w = w - s.lr * m;
}

// A step for value k of all clients.
FD_DEVICE void sgd_at(const Sgd &a, const SgdSettings &s, i64 k, float g) {
  float w = a.weights[k], m = a.momentum[k];
  sgd_value(s, g, s.mu > 0 ? a.anchor[k] : 0.0f, w, m);
  a.momentum[k] = m;
  a.weights[k] = w;
}

// A step for four neighbours, the first of which begins a word of 16 bytes.
FD_DEVICE void sgd_four(const Sgd &a, const SgdSettings &s, i64 k, const float *g) {
  float w[4], m[4], anchor[4] = {0, 0, 0, 0};
  load_four(a.weights + k, w);
  load_four(a.momentum + k, m);
  if (s.mu > 0) load_four(a.anchor + k, anchor);
  FD_UNROLL for (int v = 0; v < 4; v++) sgd_value(s, g[v], anchor[v], w[v], m[v]);
  store_four(a.momentum + k, m);
  store_four(a.weights + k, w);
}

// A block is a chunk of a client.
FD_DEVICE void sgd(const Sgd &a, i64 block, float *) {
  i64 client = quotient(block, a.chunks), chunk = block - client * a.chunks;
  SgdSettings settings = settings_of(a, client);
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
    sgd_at(a, settings, k, a.grads[k]);
  }
}
FD_KERNEL(sgd_step, sgd, Sgd)

}  // namespace fd
