// The part of TT-Metal that the agent interposes, with the names, parameters and results that the real library
// exports, and just enough behind it to be tested against.
//
// Made in three forms: as from 0.80; with OLD as from 0.66 to 0.79, where buffers do not tell their kind, size, layout and
// device; with LEGACY too as before 0.66, where the allocator's class has another name.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#ifdef LEGACY
#define AllocatorImpl Allocator
#define allocator_impl allocator
#define MeshDeviceImpl MeshDevice
#endif

namespace ttsl {

template <typename T, typename Tag>
struct StrongType {
    T value;
};

}  // namespace ttsl

namespace tt {

struct xy_pair {
    size_t x, y;
};

}  // namespace tt

namespace tt::umd {

class ClusterDescriptor {
public:
    const std::unordered_map<int, uint64_t>& get_chip_unique_ids() const;
    std::unordered_map<int, uint64_t> ids;
};

}  // namespace tt::umd

namespace tt::tt_metal {

enum class BufferType { DRAM, L1, SYSTEM_MEMORY, L1_SMALL, TRACE };
enum class TensorMemoryLayout { INTERLEAVED = 0, HEIGHT_SHARDED = 2, WIDTH_SHARDED = 3, BLOCK_SHARDED = 4 };
enum class HalMemType { L1, DRAM };
struct AllocatorConfig {
    uint64_t l1_small_size = 0;
    bool only_counts = false;  // takes no lock and no memory, so that a signal handler can use it
};
struct AllocatorState {};
struct Statistics {
    uint64_t total, allocated, free, largest_free;
#ifdef OLD
    std::vector<uint32_t> largest_free_addresses;
#endif
};

class IDevice {
public:
    virtual ~IDevice() = default;
};
class AllocatorImpl;

class Buffer {
public:
    Buffer(IDevice* device, AllocatorImpl* allocator, BufferType type, uint64_t page_size, uint32_t pages);
    uint32_t address() const;
    uint64_t page_size() const;
    uint32_t num_pages() const;
    uint64_t aligned_size() const;
    uint64_t aligned_size_per_bank() const;
    bool is_dram() const;
    bool is_l1() const;
#ifdef OLD
    bool is_trace() const;
#else
    uint64_t size() const;
    BufferType buffer_type() const;
    TensorMemoryLayout buffer_layout() const;
    IDevice* device() const;
#endif
    IDevice* device_;
    AllocatorImpl* allocator_;
    BufferType type_;
    uint64_t page_size_;
    uint32_t pages_, address_ = 0;
};

class AllocatorImpl {
public:
    explicit AllocatorImpl(const AllocatorConfig& config);
    virtual ~AllocatorImpl();
    uint64_t allocate_buffer(Buffer* buffer);
    void deallocate_buffer(Buffer* buffer);
    void deallocate_buffers();
    void clear();
    void override_state(const AllocatorState& state);
    Statistics get_statistics(const BufferType& type) const;
    uint32_t get_num_banks(const BufferType& type) const;
    uint32_t get_alignment(BufferType type) const;
    uint64_t get_base_allocator_addr(const HalMemType& memory) const;
    std::optional<uint64_t> get_lowest_occupied_l1_address(uint32_t bank) const;
    // While set, `get_statistics` keeps the lock for a while, and says here that it has it.
    static std::atomic<bool> is_slow, is_asked;
    mutable std::mutex mutex;
    AllocatorConfig config;
    struct Region {
        uint64_t start, size, allocated = 0;
        uint32_t banks;
        std::vector<uint32_t> freed;  // addresses to hand out again
        uint64_t next = 0;
        std::map<Buffer*, uint64_t> buffers;
    };
    Region regions[5];
};

class L1BankingAllocator : public AllocatorImpl {
public:
    explicit L1BankingAllocator(const AllocatorConfig& config);
    ~L1BankingAllocator() override;
};

class Device : public IDevice {
public:
    explicit Device(int id) : id(id) {}
    bool initialize(uint8_t, size_t, size_t, size_t, std::span<const uint32_t>, bool);
    bool close();
    const std::unique_ptr<AllocatorImpl>& allocator_impl() const;
    int id;
    std::unique_ptr<AllocatorImpl> allocator_;
};

struct SubDevice {};
class SubDeviceManager {
public:
    SubDeviceManager(std::span<const SubDevice> list, uint64_t l1, IDevice* device);
    std::vector<std::unique_ptr<AllocatorImpl>> allocators;
};

class Program;
class CoreRangeSet;
class GraphTracker {
public:
    static GraphTracker& instance();
    void track_program(Program* program, const IDevice* device);
    void track_allocate_cb(const CoreRangeSet& cores, uint64_t address, uint64_t size, bool backed, const IDevice* device);
};

void push_allocation_context(std::string_view name);
void pop_allocation_context();

namespace distributed {

class MeshCommandQueue {};
class MeshTraceBuffer {};
class MeshDevice;
class MeshWorkload;
struct MeshTraceIdTag;

#ifndef LEGACY
class MeshDeviceImpl : public IDevice {
public:
    bool initialize_impl(MeshDevice* mesh, uint8_t, size_t, size_t, size_t, std::span<const uint32_t>, bool);
    uint32_t get_trace_buffers_size() const;
    void begin_mesh_trace(uint8_t queue, const ttsl::StrongType<uint32_t, MeshTraceIdTag>& id);
    void end_mesh_trace(uint8_t queue, const ttsl::StrongType<uint32_t, MeshTraceIdTag>& id);
    void replay_mesh_trace(uint8_t queue, const ttsl::StrongType<uint32_t, MeshTraceIdTag>& id, bool blocking);
    void release_mesh_trace(const ttsl::StrongType<uint32_t, MeshTraceIdTag>& id);
    uint32_t trace_bytes = 0;
    std::unique_ptr<AllocatorImpl> allocator_;
    std::vector<std::unique_ptr<Device>> devices;
};
#endif

class MeshDevice : public IDevice {
public:
    bool initialize(uint8_t, size_t, size_t, size_t, std::span<const uint32_t>, bool);
    bool close();
    const std::unique_ptr<AllocatorImpl>& allocator_impl() const;
    std::vector<int> get_device_ids() const;
    std::vector<IDevice*> get_devices() const;
    uint32_t l1_size_per_core() const;
    xy_pair compute_with_storage_grid_size() const;
#ifdef LEGACY
    std::unique_ptr<AllocatorImpl> allocator_;
    std::vector<std::unique_ptr<Device>> devices;
#else
    std::unique_ptr<MeshDeviceImpl> implementation;
#endif
};

class MeshWorkloadImpl {
public:
    void load_binaries(MeshCommandQueue& queue);
    void finalize_offsets(MeshDevice* mesh);
    MeshWorkload* workload = nullptr;
    void (*allocate)() = nullptr;
};

class MeshTrace {
public:
    static void populate_mesh_buffer(
        MeshCommandQueue& queue, std::shared_ptr<MeshTraceBuffer>& trace, uint64_t, uint64_t, uint64_t);
    static void (*allocate)();
};

}  // namespace distributed
}  // namespace tt::tt_metal

#ifndef LEGACY
#include "programs.h"
#endif
