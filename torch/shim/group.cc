// The store and the process group. This is the only file that uses c10d and needs Gloo's headers. Without them (FD_GLOO),
// every function returns an error.
#include "group.h"

#include "guard.h"
#include "handles.h"

#if FD_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#if FD_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

struct fd_store {
  c10::intrusive_ptr<c10d::Store> tcp, keys;  // the connection, and the view of it that adds the prefix to keys
};

struct fd_group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> host;
#if FD_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> device;
#endif
  int rank = 0, size = 0;
};

namespace {

// A view of host bytes.
at::Tensor bytes(const uint8_t *data, int64_t n) {
  return at::from_blob(const_cast<uint8_t *>(data), {n}, at::TensorOptions().dtype(at::kByte));
}

// gather sets all, [size * n], to the tensors of all ranks, [n] each.
template <typename Group>
void gather(Group &group, at::Tensor all, at::Tensor mine, int size) {
  // Neither version of libtorch has _allgather_base in both backends, so the outputs are views of all.
  std::vector<std::vector<at::Tensor>> outputs{all.view({size, -1}).unbind(0)};
  std::vector<at::Tensor> inputs{mine};
  group.allgather(outputs, inputs)->wait();
}

}  // namespace

int fd_group_backends(void) {
#if FD_NCCL
  return FD_GROUP_NCCL;
#else
  return FD_GROUP_GLOO;
#endif
}

char *fd_store_new(const char *host, uint16_t port, int serve, int64_t timeout_ms, const char *prefix, fd_store **out) {
  return fd::guard([&] {
    c10d::TCPStoreOptions o;
    o.port = port;
    o.isServer = serve != 0;
    o.waitWorkers = false;
    o.timeout = std::chrono::milliseconds(timeout_ms);
    auto tcp = c10::make_intrusive<c10d::TCPStore>(host, o);
    c10::intrusive_ptr<c10d::Store> keys = c10::make_intrusive<c10d::PrefixStore>(prefix, tcp);
    *out = new fd_store{tcp, keys};
  });
}

void fd_store_close(fd_store *store) { delete store; }

char *fd_store_set(fd_store *store, const char *key, const uint8_t *value, int64_t n) {
  return fd::guard([&] { store->keys->set(key, std::vector<uint8_t>(value, value + n)); });
}

char *fd_store_has(fd_store *store, const char *key, int *there) {
  return fd::guard([&] { *there = store->keys->check({key}); });
}

char *fd_store_get(fd_store *store, const char *key, char **value, int64_t *n) {
  return fd::guard([&] {
    std::vector<uint8_t> got = store->keys->get(key);
    *value = static_cast<char *>(std::malloc(got.size() + 1));
    if (*value == nullptr) throw std::bad_alloc();
    std::memcpy(*value, got.data(), got.size());
    *n = static_cast<int64_t>(got.size());
  });
}

char *fd_store_delete(fd_store *store, const char *key) {
  return fd::guard([&] { store->keys->deleteKey(key); });
}

char *fd_group_new(fd_store *store, int rank, int size, const char *interface, const char *address, int64_t timeout_ms,
                   fd_group **out) {
  return fd::guard([&] {
    using c10d::ProcessGroupGloo;
    auto group = std::make_unique<fd_group>();
    group->rank = rank;
    group->size = size;
    auto o = ProcessGroupGloo::Options::create(std::chrono::milliseconds(timeout_ms));
    o->devices.push_back(*interface != 0 ? ProcessGroupGloo::createDeviceForInterface(interface)
                                         : ProcessGroupGloo::createDeviceForHostname(address));
    auto keys = c10::make_intrusive<c10d::PrefixStore>("gloo", store->keys);
    group->host = c10::make_intrusive<ProcessGroupGloo>(keys, rank, size, o);
    *out = group.release();
  });
}

char *fd_group_nccl(fd_group *group, fd_store *store, const char *device, int64_t timeout_ms) {
  return fd::guard([&] {
#if FD_NCCL
    auto keys = c10::make_intrusive<c10d::PrefixStore>("nccl", store->keys);
    auto o = c10d::ProcessGroupNCCL::Options::create();
    o->timeout = std::chrono::milliseconds(timeout_ms);
    c10::DeviceGuard on{c10::Device(device)};
    group->device = c10::make_intrusive<c10d::ProcessGroupNCCL>(keys, group->rank, group->size, o);
#else
    (void)group, (void)store, (void)device, (void)timeout_ms;
    throw std::runtime_error("this program was built without NCCL");
#endif
  });
}

char *fd_device_bus(const char *device, char **text) {
  return fd::guard([&] {
#if FD_NCCL
    char bus[32] = "";
    cudaError_t error = cudaDeviceGetPCIBusId(bus, sizeof bus, c10::Device(device).index());
    if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
    *text = fd::message(bus);
#else
    *text = fd::message(device);
#endif
  });
}

void fd_group_close(fd_group *group) { delete group; }

char *fd_group_gather(fd_group *group, const uint8_t *mine, int64_t n, uint8_t *all) {
  return fd::guard([&] { gather(*group->host, bytes(all, n * group->size), bytes(mine, n), group->size); });
}

char *fd_group_broadcast(fd_group *group, uint8_t *data, int64_t n, int root) {
  return fd::guard([&] {
    std::vector<at::Tensor> tensors{bytes(data, n)};
    c10d::BroadcastOptions o;
    o.rootRank = root;
    group->host->broadcast(tensors, o)->wait();
  });
}

char *fd_group_gather_vectors(fd_group *group, const fd_vector *mine, fd_vector *all) {
  return fd::guard([&] {
    if (all->t.numel() != mine->t.numel() * group->size) throw std::invalid_argument("the vectors of the ranks have different lengths");
    c10::DeviceGuard on{mine->t.device()};
#if FD_NCCL
    if (group->device) return gather(*group->device, all->t, mine->t, group->size);
#endif
    if (mine->t.is_cpu()) return gather(*group->host, all->t, mine->t, group->size);
    at::Tensor received = at::empty({all->t.numel()}, at::kFloat);
    gather(*group->host, received, mine->t.cpu(), group->size);
    all->t.copy_(received);
  });
}

#else  // FD_GLOO

namespace {
char *without() { return fd::message("this program was built without Gloo"); }
}  // namespace

int fd_group_backends(void) { return FD_GROUP_NONE; }
char *fd_store_new(const char *, uint16_t, int, int64_t, const char *, fd_store **) { return without(); }
void fd_store_close(fd_store *) {}
char *fd_store_set(fd_store *, const char *, const uint8_t *, int64_t) { return without(); }
char *fd_store_has(fd_store *, const char *, int *) { return without(); }
char *fd_store_get(fd_store *, const char *, char **, int64_t *) { return without(); }
char *fd_store_delete(fd_store *, const char *) { return without(); }
char *fd_group_new(fd_store *, int, int, const char *, const char *, int64_t, fd_group **) { return without(); }
char *fd_group_nccl(fd_group *, fd_store *, const char *, int64_t) { return without(); }
char *fd_device_bus(const char *, char **) { return without(); }
void fd_group_close(fd_group *) {}
char *fd_group_gather(fd_group *, const uint8_t *, int64_t, uint8_t *) { return without(); }
char *fd_group_broadcast(fd_group *, uint8_t *, int64_t, int) { return without(); }
char *fd_group_gather_vectors(fd_group *, const fd_vector *, fd_vector *) { return without(); }

#endif  // FD_GLOO
