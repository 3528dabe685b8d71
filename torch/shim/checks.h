// Checks that every engine makes before a call begins.
#pragma once

#include "fd.h"
#include "handles.h"
#include "network.h"

namespace fd {

void check_train(const fd_network &network, const fd_images &images, const fd_job *jobs, int64_t count, const fd_sgd &sgd);
void check_predict(const fd_network &network, const fd_images &images, const fd_prediction *jobs, int64_t count);

}  // namespace fd
