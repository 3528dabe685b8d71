// The key-value store and the process group of libtorch's c10d, for ranks. The conventions of fd.h apply here too.
#pragma once

#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fd_store fd_store;  // a connection to a c10d TCPStore
typedef struct fd_group fd_group;  // a c10d process group

// The backends that this library was built with.
enum { FD_GROUP_NONE, FD_GROUP_GLOO, FD_GROUP_NCCL };
int fd_group_backends(void);

// Connects to the TCPStore at host:port. If serve is set, its server is started in this process first. prefix is prepended to
// all keys.
char *fd_store_new(const char *host, uint16_t port, int serve, int64_t timeout_ms, const char *prefix, fd_store **out);
void fd_store_close(fd_store *store);
char *fd_store_set(fd_store *store, const char *key, const uint8_t *value, int64_t n);
// Whether the key exists.
char *fd_store_has(fd_store *store, const char *key, int *there);
// The value of an existing key, of n bytes; freed with fd_free_message.
char *fd_store_get(fd_store *store, const char *key, char **value, int64_t *n);
char *fd_store_delete(fd_store *store, const char *key);

// Joins the group of size ranks that meet in the store. Gloo listens on the network interface or, if that is empty, on the
// local address. A collective operation fails after the timeout.
char *fd_group_new(fd_store *store, int rank, int size, const char *interface, const char *address, int64_t timeout_ms,
                   fd_group **out);
// From now on, vectors on the CUDA device are exchanged with NCCL. Each rank must call it, each with a different device.
char *fd_group_nccl(fd_group *group, fd_store *store, const char *device, int64_t timeout_ms);
// The PCI address of a CUDA device, which identifies the device on its machine; freed with fd_free_message.
char *fd_device_bus(const char *device, char **text);
void fd_group_close(fd_group *group);
// all = the n bytes of each rank, one after another.
char *fd_group_gather(fd_group *group, const uint8_t *mine, int64_t n, uint8_t *all);
// Sets data in all ranks to the n bytes of rank root.
char *fd_group_broadcast(fd_group *group, uint8_t *data, int64_t n, int root);
// all = the values of each rank's vector, one after another; the vectors have the same length.
char *fd_group_gather_vectors(fd_group *group, const fd_vector *mine, fd_vector *all);

#ifdef __cplusplus
}
#endif
