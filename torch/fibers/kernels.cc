// All kernels, with a fiber for each thread. It is compiled with -fsanitize=thread and -DFD_FIBERS.
#include "kernel_batch.h"
#include "kernel_block.h"
#include "kernel_columns.h"
#include "kernel_fused_backward.h"
#include "kernel_fused_forward.h"
#include "kernel_gemm_weight.h"
#include "kernel_hash.h"
#include "kernel_loss.h"
#include "kernel_norm.h"
#include "kernel_pool.h"
#include "kernel_sgd.h"

#include "shapes.h"
