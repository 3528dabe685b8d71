#include "fd.h"

// scripts/build_native.sh gives FD_HEADER, the hash of the C headers, to this file and to the Go compiler.
const char *fd_interface(void) { return FD_TEXT(FD_HEADER); }
