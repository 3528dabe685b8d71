// Predictions with a stack of models, all at once.
#pragma once

#include <vector>

#include "fd.h"
#include "handles.h"
#include "network.h"
#include "conv_methods.h"
#include "workers.h"

namespace fd {

void predict_stacked(const fd_network &network, const fd_images &images, const std::vector<fd_prediction> &jobs,
                     at::ScalarType type, ConvMethods &methods, fd_engine &engine);

}  // namespace fd
