// The linear layers of a small network: from the flattened maxima of its convolutions to the features, and in training
// through the head to the loss and back.
#pragma once

#include "kernel_batch.h"
#include "kernel_fused_forward.h"
#include "kernel_loss.h"

namespace fd {

constexpr int kDenseLayers = 4;    // number of linear layers of an encoder at most
constexpr int kDenseTogether = 8;  // number of samples of a block; half as many if there are few blocks
constexpr int kDenseLanes = 8;     // number of threads that read a row of weights side by side, at least

struct DenseNet {
  int layers;                 // number of linear layers of the encoder
  int in, out[kDenseLayers];  // number of inputs of the first layer, and of outputs of each
  int inputs, classes;        // widths of the head; in evaluation, the number of features and 0
  // Whether each row of the layer's weights begins at a word of 16 bytes.
  int whole[kDenseLayers], whole_head;
};

// A linear layer, or the head.
struct DenseLayer {
  int in, out, whole;
};
template <int n>
FD_DEVICE DenseLayer dense_layer(const DenseNet &net) {
  if constexpr (n == 0) return DenseLayer{net.in, net.out[0], net.whole[0]};
  else return DenseLayer{net.out[n - 1], net.out[n], net.whole[n]};
}
FD_DEVICE DenseLayer head_layer(const DenseNet &net) { return DenseLayer{net.inputs, net.classes, net.whole_head}; }
template <int n>
FD_DEVICE int dense_features(const DenseNet &net) {  // number of features of the encoder
  if constexpr (n == 0) return net.in;
  else return n <= net.layers ? net.out[n - 1] : dense_features<n - 1>(net);
}
FD_DEVICE DenseLayer head_of_encoder(const DenseNet &net) {  // the columns of the head for the encoder
  return DenseLayer{dense_features<kDenseLayers>(net), net.classes, net.whole_head};
}

// A product is dealt out in tiles of four outputs of all samples of a block. The inputs are dealt out too, by fours, over
// lanes; the lanes' sums are added in their order.
FD_DEVICE int fours(int n) { return (n + 3) / 4; }
FD_DEVICE bool lanes_fit(const DenseLayer &l, int lanes) {
  return lanes < 2 * fours(l.in) && (lanes <= kDenseLanes || lanes * fours(l.out) <= kThreads);
}
FD_DEVICE int dense_lanes(const DenseLayer &l) {
  return lanes_fit(l, 32) ? 32 : lanes_fit(l, 16) ? 16 : lanes_fit(l, 8) ? 8 : lanes_fit(l, 4) ? 4 : lanes_fit(l, 2) ? 2 : 1;
}
// In the backward pass the tiles are inputs, and the outputs are dealt out over parts.
FD_DEVICE int dense_share(const DenseLayer &l) {  // number of outputs of a part
  constexpr int kMost = 16;
  int parts = l.in == 0 ? 1 : kThreads / fours(l.in);
  parts = parts < 1 ? 1 : parts < kMost ? parts : kMost;
  return in_words((l.out + parts - 1) / parts);
}
FD_DEVICE int dense_parts(const DenseLayer &l) { return (l.out + dense_share(l) - 1) / dense_share(l); }
// Sums of a lane or a part: [samples, width in whole words], and a word that keeps lanes on different banks.
FD_DEVICE int dense_sums(int samples, int width) { return samples * in_words(width) + 4; }
// Gradients lie as [outputs in whole words, samples], in rows of an odd number of words.
FD_DEVICE int grad_row(int samples) { return samples == 8 ? 12 : samples; }

// Shared memory, for the samples of a block: inputs of each layer and the features, [samples, in whole words] each; the
// slopes of the outputs [samples, out in whole words]; logits; gradients; sums of lanes or parts.
template <int n>
FD_DEVICE int dense_inputs(const DenseNet &net) {  // inputs of a sample in front of those of layer n, or of the features
  if constexpr (n == 0) return 0;
  else return dense_inputs<n - 1>(net) + (n <= net.layers ? in_words(dense_layer<n - 1>(net).in) : 0);
}
template <int n>
FD_DEVICE int dense_slopes(const DenseNet &net) {
  if constexpr (n == 0) return 0;
  else return dense_slopes<n - 1>(net) + (n <= net.layers ? in_words(net.out[n - 1]) : 0);
}
FD_DEVICE int larger(int a, int b) { return a > b ? a : b; }
template <int n>
FD_DEVICE int widest_output(const DenseNet &net) {
  if constexpr (n == 0) return net.classes;
  else return n <= net.layers ? larger(net.out[n - 1], widest_output<n - 1>(net)) : widest_output<n - 1>(net);
}
FD_DEVICE int product_sums(const DenseLayer &l, int samples) { return dense_lanes(l) * dense_sums(samples, l.out); }
FD_DEVICE int product_back_sums(const DenseLayer &l, int samples) { return dense_parts(l) * dense_sums(samples, l.in); }
template <int n>
FD_DEVICE int most_sums(const DenseNet &net, int samples) {
  if constexpr (n == 0) {
    if (net.classes == 0) return 0;
    return larger(product_sums(head_layer(net), samples), product_back_sums(head_of_encoder(net), samples));
  } else {
    int others = most_sums<n - 1>(net, samples);
    if (n > net.layers) return others;
    DenseLayer l = dense_layer<n - 1>(net);
    int ahead = larger(others, product_sums(l, samples));
    return net.classes == 0 ? ahead : larger(ahead, product_back_sums(l, samples));
  }
}
FD_DEVICE int dense_activations(const DenseNet &net) { return dense_inputs<kDenseLayers>(net) + in_words(net.inputs); }
FD_DEVICE int fused_features_shared(const DenseNet &net, int samples) {
  return samples * dense_activations(net) + most_sums<kDenseLayers>(net, samples);
}
FD_DEVICE int fused_dense_shared(const DenseNet &net, int samples) {
  return fused_features_shared(net, samples) + samples * (dense_slopes<kDenseLayers>(net) + net.classes) +
         in_words(widest_output<kDenseLayers>(net)) * grad_row(samples);
}

struct FusedFeatures {
  Batch batch;
  const float *weights;       // values of the first client
  i64 client;                 // stride of weights
  i64 weight[kDenseLayers];   // offsets of the weights [out, in] in a client's values; behind them are the biases
  int relu[kDenseLayers];     // whether a ReLU follows
  int dropped[kDenseLayers];  // number of the dropout that follows, in training
  float p[kDenseLayers];      // its probability; 0 for none
  const u64 *seeds;           // seeds of dropout, by client; null in evaluation
  const void *input;          // [clients, samples, in]; null if all encoders are frozen
  void *kept[kDenseLayers];   // [clients, samples, out]: outputs of all layers but the last one; null if nothing reads them later
  void *features;             // [clients, samples, columns]: outputs of the last layer, from column own on; may be null
  int columns, own;
  int together;               // number of samples of a block, kDenseTogether or half of it
  DenseNet net;
};

// Four neighbours of each of four rows of n values, the first of them at row and their begins a stride apart. If there are fewer
// rows, the first one takes the places of the others. Values beyond the end of a row are zeros.
FD_DEVICE void load_tile(const float *row, i64 stride, int rows, int at, int n, int whole, float (*to)[4]) {
  FD_UNROLL for (int v = 0; v < 4; v++) {
    const float *from = row + (v < rows ? v : 0) * stride + at;
    if (whole) {
      load_four(from, to[v]);
      continue;
    }
    FD_UNROLL for (int w = 0; w < 4; w++) to[v][w] = at + w < n ? from[w] : 0.0f;
  }
}

// Products of samples x [samples, in whole words] with weights [out, in]: sums of the lanes. Each tile of weights is loaded
// while the one before it is used.
template <int samples>
FD_DEVICE void dense_product(const DenseLayer &l, const float *weight, const float *x, float *sums) {
  int lanes = dense_lanes(l), words = fours(l.in), row = in_words(l.in), each = dense_sums(samples, l.out);
  FD_EACH(i, fours(l.out) * lanes) {
    int lane = i % lanes, o = i / lanes * 4, rows = l.out % 4 == 0 ? 4 : l.out - o;
    const float *from = weight + o * l.in;
    float sum[samples][4], w[4][4];
    FD_UNROLL for (int s = 0; s < samples; s++)
      FD_UNROLL for (int v = 0; v < 4; v++) sum[s][v] = 0;
    load_tile(from, l.in, rows, 4 * (lane < words ? lane : 0), l.in, l.whole, w);
    FD_UNROLL_TWO for (int k = lane; k < words; k += lanes) {
      float next[4][4];
      load_tile(from, l.in, rows, 4 * (k + lanes < words ? k + lanes : lane), l.in, l.whole, next);
      FD_UNROLL for (int s = 0; s < samples; s++) {
        float in[4];
        load_four(x + s * row + 4 * k, in);
        FD_UNROLL for (int v = 0; v < 4; v++)
          FD_UNROLL for (int c = 0; c < 4; c++) sum[s][v] += in[c] * w[v][c];
      }
      FD_UNROLL for (int v = 0; v < 4; v++)
        FD_UNROLL for (int c = 0; c < 4; c++) w[v][c] = next[v][c];
    }
    FD_UNROLL for (int s = 0; s < samples; s++) store_four(sums + lane * each + s * in_words(l.out) + o, sum[s]);
  }
}

// Adds up the lanes or the parts, for four neighbours.
FD_DEVICE void add_sums(const float *sums, int lanes, int each, float *to) {
  for (int lane = 0; lane < lanes; lane++) {
    float next[4];
    load_four(sums + lane * each, next);
    FD_UNROLL for (int v = 0; v < 4; v++) to[v] += next[v];
  }
}

// Products of gradients [out in whole words, samples] with weights [out, stride]: sums of the parts, for the gradient of the
// inputs.
template <int samples>
FD_DEVICE void dense_product_back(const DenseLayer &l, const float *weight, int stride, const float *grads, float *sums) {
  int share = dense_share(l), words = fours(l.in), each = dense_sums(samples, l.in);
  FD_EACH(i, words * dense_parts(l)) {
    int q = i % words, begin = i / words * share, end = begin + share < l.out ? begin + share : l.out;
    float sum[samples][4], w[4][4];
    FD_UNROLL for (int s = 0; s < samples; s++)
      FD_UNROLL for (int v = 0; v < 4; v++) sum[s][v] = 0;
    load_tile(weight + begin * stride, stride, l.out % 4 == 0 ? 4 : l.out - begin, 4 * q, l.in, l.whole, w);
    FD_UNROLL_TWO for (int o = begin; o < end; o += 4) {
      float next[4][4];
      int later = o + 4 < end ? o + 4 : begin;
      load_tile(weight + later * stride, stride, l.out % 4 == 0 ? 4 : l.out - later, 4 * q, l.in, l.whole, next);
      FD_UNROLL for (int v = 0; v < 4; v++)
        FD_UNROLL for (int h = 0; h < samples / 4; h++) {
          float grad[4];
          load_four(grads + (o + v) * grad_row(samples) + 4 * h, grad);
          FD_UNROLL for (int s = 0; s < 4; s++)
            FD_UNROLL for (int c = 0; c < 4; c++) sum[4 * h + s][c] += grad[s] * w[v][c];
        }
      FD_UNROLL for (int v = 0; v < 4; v++)
        FD_UNROLL for (int c = 0; c < 4; c++) w[v][c] = next[v][c];
    }
    FD_UNROLL for (int s = 0; s < samples; s++) store_four(sums + i / words * each + s * in_words(l.in) + 4 * q, sum[s]);
  }
}

// What a block works on.
struct DenseBlock {
  i64 client;
  int first, samples;  // the first of its samples, and the number of them that have images
  float *x, *slopes, *logits, *grads, *sums;
};
FD_DEVICE DenseBlock dense_block(const FusedFeatures &a, i64 block, float *shared, bool training) {
  int groups = (a.batch.samples + a.together - 1) / a.together;
  DenseBlock b{quotient(block, groups), remainder_of(block, groups) * a.together, 0, shared, nullptr, nullptr, nullptr, nullptr};
  int left = count_of(a.batch, static_cast<int>(b.client)) - b.first;
  b.samples = left < 0 ? 0 : left < a.together ? left : a.together;
  b.sums = shared + a.together * dense_activations(a.net);
  if (training) {
    b.slopes = b.sums;
    b.logits = b.slopes + a.together * dense_slopes<kDenseLayers>(a.net);
    b.grads = b.logits + a.together * a.net.classes;
    b.sums = b.grads + in_words(widest_output<kDenseLayers>(a.net)) * grad_row(a.together);
  }
  return b;
}
FD_DEVICE i64 slot_at(const FusedFeatures &a, const DenseBlock &b, int s) { return b.client * a.batch.samples + b.first + s; }

// Zeros behind the features of a sample, which may not fill their last word.
FD_DEVICE void pad_features(const FusedFeatures &a, const DenseBlock &b) {
  int row = in_words(a.net.inputs), rest = row - a.net.inputs;
  float *x = b.x + a.together * dense_inputs<kDenseLayers>(a.net);
  FD_EACH(i, a.together * rest) x[i / rest * row + a.net.inputs + i % rest] = 0;
}

// Features of width columns, from column begin on. They are rows of a table, or lie as [clients, samples, width].
template <typename T>
FD_DEVICE void stage_features(const FusedFeatures &a, const DenseBlock &b, const T *from, bool table, int width, int begin) {
  float *x = b.x + a.together * dense_inputs<kDenseLayers>(a.net);
  FD_EACH(i, a.together * width) {
    int c = i % width, s = i / width;
    float value = 0;
    if (s < b.samples) {
      i64 row = table ? slot_of(a.batch, static_cast<int>(b.client), b.first + s) : slot_at(a, b, s);
      value = get(from + row * width + c);
      if (a.features != nullptr) put(static_cast<T *>(a.features) + slot_at(a, b, s) * a.columns + begin + c, value);
    }
    x[s * in_words(a.net.inputs) + begin + c] = value;
  }
}

// The inputs of the first layer, which are features if there is no layer.
template <typename T>
FD_DEVICE void stage_inputs(const FusedFeatures &a, const DenseBlock &b) {
  if (a.input == nullptr) return;
  const T *input = static_cast<const T *>(a.input);
  if (a.net.layers == 0) {
    stage_features(a, b, input, false, a.net.in, a.own);
    return;
  }
  int words = fours(a.net.in);
  FD_EACH(i, a.together * words) {
    int c = i % words * 4, s = i / words;
    float value[4] = {0, 0, 0, 0};
    if (s < b.samples) get_row(input + slot_at(a, b, s) * a.net.in, c, a.net.in, value);
    store_four(b.x + s * 4 * words + c, value);
  }
}

constexpr float kStopped = -1;  // slope of an output whose gradient ends at a ReLU

// The outputs of layer n: bias, ReLU and dropout.
template <typename T, int n>
FD_DEVICE void dense_outputs(const FusedFeatures &a, const DenseBlock &b) {
  DenseLayer l = dense_layer<n>(a.net);
  bool last = n + 1 >= a.net.layers, drops = a.seeds != nullptr && a.p[n] > 0;
  int words = fours(l.out), row = last ? in_words(a.net.inputs) : 4 * words, begin = last ? a.own : 0;
  float *to = b.x + a.together * (last ? dense_inputs<kDenseLayers>(a.net) : dense_inputs<n + 1>(a.net));
  const float *bias = a.weights + b.client * a.client + a.weight[n] + static_cast<i64>(l.in) * l.out;
  u64 key = drops ? dropout_key(a.seeds[b.client], *a.batch.step, a.dropped[n]) : 0;
  FD_EACH(i, a.together * words) {
    int o = i % words * 4, s = i / words;
    float value[4], slope[4];
    FD_UNROLL for (int v = 0; v < 4; v++) value[v] = l.out % 4 == 0 || o + v < l.out ? bias[o + v] : 0.0f;
    add_sums(b.sums + s * 4 * words + o, dense_lanes(l), dense_sums(a.together, l.out), value);
    FD_UNROLL for (int v = 0; v < 4; v++) {
      value[v] = rounded<T>(a.relu[n] && value[v] < 0 ? 0.0f : value[v]);  // a NaN stays one, as in PyTorch
      slope[v] = a.relu[n] && value[v] <= 0 ? kStopped : 1.0f;
      if (drops) {
        float factor = dropout_factor(key, static_cast<u32>((b.first + s) * l.out + o + v), a.p[n]);
        value[v] = rounded<T>(value[v] * factor);
        if (slope[v] != kStopped) slope[v] = factor;
      }
      if (s >= b.samples || (l.out % 4 != 0 && o + v >= l.out)) value[v] = 0;
    }
    if (b.slopes != nullptr) store_four(b.slopes + a.together * dense_slopes<n>(a.net) + s * 4 * words + o, slope);
    if (!last) {
      store_four(to + s * row + o, value);
      if (a.kept[n] != nullptr && s < b.samples) put_row(static_cast<T *>(a.kept[n]) + slot_at(a, b, s) * l.out, o, l.out, value);
      continue;
    }
    T *features = a.features != nullptr && s < b.samples ? static_cast<T *>(a.features) + slot_at(a, b, s) * a.columns : nullptr;
    FD_UNROLL for (int v = 0; v < 4; v++) {
      if (l.out % 4 != 0 && o + v >= l.out) continue;
      to[s * row + begin + o + v] = value[v];
      if (features != nullptr) put(features + begin + o + v, value[v]);
    }
  }
}

// Layer n and those behind it.
template <typename T, int n, int samples>
FD_DEVICE void dense_layers(const FusedFeatures &a, const DenseBlock &b) {
  if (n >= a.net.layers) return;
  dense_product<samples>(dense_layer<n>(a.net), a.weights + b.client * a.client + a.weight[n],
                         b.x + samples * dense_inputs<n>(a.net), b.sums);
  FD_SYNC;
  dense_outputs<T, n>(a, b);
  FD_SYNC;
  if constexpr (n + 1 < kDenseLayers) dense_layers<T, n + 1, samples>(a, b);
}

// The features of an encoder in evaluation. A block is a group of samples of a client.
template <typename T, int samples>
FD_DEVICE void features_of(const FusedFeatures &a, i64 block, float *shared) {
  DenseBlock b = dense_block(a, block, shared, false);
  int slots = a.batch.samples - b.first < samples ? a.batch.samples - b.first : samples;
  FD_EACH(i, (slots - b.samples) * a.columns)  // padded slots have no images
    put(static_cast<T *>(a.features) + slot_at(a, b, b.samples) * a.columns + i, 0.0f);
  if (b.samples == 0) return;
  stage_inputs<T>(a, b);
  FD_SYNC;
  dense_layers<T, 0, samples>(a, b);
}
template <typename T>
FD_DEVICE void fused_features(const FusedFeatures &a, i64 block, float *shared) {
  if (a.together == kDenseTogether) features_of<T, kDenseTogether>(a, block, shared);
  else features_of<T, kDenseTogether / 2>(a, block, shared);
}
FD_KERNELS_SHAPED(fused_features, FusedFeatures)

struct FusedDense {
  FusedFeatures ahead;
  const void *tables[2];      // by row: features of frozen encoders; null for an encoder that is trained or does not exist
  int width;                  // number of columns of each table
  i64 head;                   // offset of the head's weights [classes, inputs] in a client's values; behind them are the biases
  CrossEntropy loss;          // its logits, grad and losses are not used
  float *each;                // [clients, samples]: losses
  float *logits_grad;         // [clients, samples, classes]
  float *grads[kDenseLayers]; // [clients, samples, out]: gradients of the layers' outputs in front of the ReLU
  void *input_grad;           // like ahead.input; null if all encoders are frozen
};

// The loss of each sample and the gradient of the logits.
FD_DEVICE void logits_back(const FusedDense &a, const DenseBlock &b) {
  const FusedFeatures &f = a.ahead;
  int classes = f.net.classes;
  FD_EACH(i, f.together * in_words(classes)) {
    int c = i % in_words(classes), s = i / in_words(classes), client = static_cast<int>(b.client);
    float grad = 0;
    if (s < b.samples && c < classes) {
      const float *logits = b.logits + s * classes;
      SampleLoss loss = sample_loss(a.loss, client, slot_of(f.batch, client, b.first + s), logits);
      grad = loss_back(loss, logits, c);
      a.logits_grad[slot_at(f, b, s) * classes + c] = grad;
      if (c == 0) a.each[slot_at(f, b, s)] = loss_of(loss, logits);
    }
    b.grads[c * grad_row(f.together) + s] = grad;
  }
}

// Layer n and those in front of it, from the sums for the gradient of the outputs of layer n.
template <typename T, int n, int samples>
FD_DEVICE void dense_back(const FusedDense &a, const DenseBlock &b) {
  const FusedFeatures &f = a.ahead;
  if (n < f.net.layers) {
    DenseLayer l = dense_layer<n>(f.net), behind = head_of_encoder(f.net);
    if constexpr (n + 1 < kDenseLayers)
      if (n + 1 < f.net.layers) behind = dense_layer<n + 1>(f.net);
    int words = fours(l.out);
    const float *slopes = b.slopes + samples * dense_slopes<n>(f.net);
    FD_EACH(i, samples * words) {
      int s = i % samples, o = i / samples * 4;
      float grad[4] = {0, 0, 0, 0}, slope[4];
      add_sums(b.sums + s * 4 * words + o, dense_parts(behind), dense_sums(samples, l.out), grad);
      load_four(slopes + s * 4 * words + o, slope);
      FD_UNROLL for (int v = 0; v < 4; v++) {
        bool stopped = slope[v] == kStopped || (l.out % 4 != 0 && o + v >= l.out);
        grad[v] = stopped ? 0.0f : grad[v] * slope[v];
        b.grads[(o + v) * grad_row(samples) + s] = grad[v];
      }
      if (s < b.samples) put_row(a.grads[n] + slot_at(f, b, s) * l.out, o, l.out, grad);
    }
    FD_SYNC;
    dense_product_back<samples>(l, f.weights + b.client * f.client + f.weight[n], l.in, b.grads, b.sums);
    FD_SYNC;
  }
  if constexpr (n > 0) dense_back<T, n - 1, samples>(a, b);
}

// The gradient of the inputs of the first layer.
template <typename T, int samples>
FD_DEVICE void inputs_back(const FusedDense &a, const DenseBlock &b) {
  const FusedFeatures &f = a.ahead;
  int in = f.net.in, words = fours(in), parts = dense_parts(f.net.layers == 0 ? head_of_encoder(f.net) : dense_layer<0>(f.net));
  FD_EACH(i, b.samples * words) {
    int c = i % words * 4, s = i / words;
    float grad[4] = {0, 0, 0, 0};
    add_sums(b.sums + s * 4 * words + c, parts, dense_sums(samples, in), grad);
    put_row(static_cast<T *>(a.input_grad) + slot_at(f, b, s) * in, c, in, grad);
  }
}

template <typename T, int samples>
FD_DEVICE void dense_of(const FusedDense &a, i64 block, float *shared) {
  const FusedFeatures &f = a.ahead;
  DenseBlock b = dense_block(f, block, shared, true);
  if (b.samples == 0) return;
  pad_features(f, b);
  stage_inputs<T>(f, b);
  if (a.tables[0] != nullptr) stage_features(f, b, static_cast<const T *>(a.tables[0]), true, a.width, 0);
  if (a.tables[1] != nullptr) stage_features(f, b, static_cast<const T *>(a.tables[1]), true, a.width, a.width);
  FD_SYNC;
  dense_layers<T, 0, samples>(f, b);
  DenseLayer head = head_layer(f.net);
  const float *weight = f.weights + b.client * f.client + a.head, *bias = weight + static_cast<i64>(head.in) * head.out;
  dense_product<samples>(head, weight, b.x + samples * dense_inputs<kDenseLayers>(f.net), b.sums);
  FD_SYNC;
  FD_EACH(i, samples * head.out) {
    int c = i % head.out, at = i / head.out * in_words(head.out) + c;
    float sum = bias[c];
    for (int lane = 0; lane < dense_lanes(head); lane++) sum += b.sums[lane * dense_sums(samples, head.out) + at];
    b.logits[i] = sum;
  }
  FD_SYNC;
  logits_back(a, b);
  if (a.input_grad == nullptr) return;
  FD_SYNC;
  dense_product_back<samples>(head_of_encoder(f.net), weight + f.own, head.in, b.grads, b.sums);
  FD_SYNC;
  dense_back<T, kDenseLayers - 1, samples>(a, b);
  inputs_back<T, samples>(a, b);
}

// Training: from the inputs to the loss, and back to the gradients of all layers' outputs. A block is a group of samples of
// a client.
template <typename T>
FD_DEVICE void fused_dense(const FusedDense &a, i64 block, float *shared) {
  if (a.ahead.together == kDenseTogether) dense_of<T, kDenseTogether>(a, block, shared);
  else dense_of<T, kDenseTogether / 2>(a, block, shared);
}
FD_KERNELS_SHAPED(fused_dense, FusedDense)

}  // namespace fd
