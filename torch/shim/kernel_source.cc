#include "kernel_source.h"

// The assembler embeds the files in the library. Paths are relative to the root of the repository, where the compiler runs.
#define FD_FILE(name)                                                                        \
  asm(".pushsection .rodata\n.global fd_text_" #name "\nfd_text_" #name ":\n.incbin \"torch/shim/kernel_" #name \
      ".h\"\n.byte 0\n.popsection\n");                                                       \
  extern "C" const char fd_text_##name[];

FD_FILE(code)
FD_FILE(batch)
FD_FILE(columns)
FD_FILE(pool)
FD_FILE(block)
FD_FILE(norm)
FD_FILE(loss)
FD_FILE(sgd)
FD_FILE(hash)
FD_FILE(fused_layers)
FD_FILE(fused_forward)
FD_FILE(fused_backward)
FD_FILE(fused_dense)
FD_FILE(fused_step)
FD_FILE(warp)
FD_FILE(gemm_tiles)
FD_FILE(gemm_conv)
FD_FILE(gemm_weight)

namespace fd {

const std::vector<SourceFile> &kernel_sources() {
  static const std::vector<SourceFile> files = {
      {"kernel_code.h", fd_text_code},   {"kernel_batch.h", fd_text_batch}, {"kernel_columns.h", fd_text_columns},
      {"kernel_pool.h", fd_text_pool},   {"kernel_block.h", fd_text_block}, {"kernel_norm.h", fd_text_norm},
      {"kernel_loss.h", fd_text_loss},   {"kernel_sgd.h", fd_text_sgd},     {"kernel_hash.h", fd_text_hash},
      {"kernel_fused_layers.h", fd_text_fused_layers}, {"kernel_fused_forward.h", fd_text_fused_forward},
      {"kernel_fused_backward.h", fd_text_fused_backward}, {"kernel_fused_dense.h", fd_text_fused_dense},
      {"kernel_fused_step.h", fd_text_fused_step}, {"kernel_warp.h", fd_text_warp},
      {"kernel_gemm_tiles.h", fd_text_gemm_tiles}, {"kernel_gemm_conv.h", fd_text_gemm_conv},
      {"kernel_gemm_weight.h", fd_text_gemm_weight},
  };
  return files;
}

}  // namespace fd
