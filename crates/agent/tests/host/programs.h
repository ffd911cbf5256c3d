// The part of TT-Metal's programs that the agent hooks or asks, as from 0.76. Included by tt_metal.h.
#pragma once

#include <string>

namespace tt::tt_metal {

struct CoreRange {
    xy_pair start, end;
    bool contains(const xy_pair& core) const {
        return start.x <= core.x && core.x <= end.x && start.y <= core.y && core.y <= end.y;
    }
};
class CoreRangeSet {
public:
    std::vector<CoreRange> ranges;
};

class CircularBufferImpl {
public:
    bool is_on_logical_core(const xy_pair& core) const;
    bool uses_buffer_index(uint32_t index) const;
    uint32_t num_pages(uint32_t index) const;
    uint32_t page_size(uint32_t index) const;
    uint32_t address() const;
    CoreRangeSet cores;
    uint32_t index, bytes;
    Buffer* buffer = nullptr;  // whose memory it is
    uint32_t own_address = 0;
};

struct RuntimeArgsData {
    uint32_t* arguments = nullptr;
    size_t count = 0;
};
class LLKMetadata {};

class Kernel {
public:
    using EachScratchpad =
        std::function<void(const std::string&, uint32_t, uint32_t, const std::optional<LLKMetadata>&)>;
    void process_scratchpad_binding_handles(const EachScratchpad& each) const;
    RuntimeArgsData& common_runtime_args_data();
    std::vector<uint32_t> scratchpads;  // bytes; the address is the argument of the same index
    std::vector<uint32_t> arguments;
    RuntimeArgsData arguments_data;
    virtual ~Kernel() = default;
    std::string name() const;
    bool is_on_logical_core(const xy_pair& core) const;
    uint32_t get_binary_packed_size(IDevice* device, int index) const;
    std::string text;
    CoreRange cores;
    uint32_t bytes;
};
class DataMovementKernel : public Kernel {
public:
    ~DataMovementKernel() override;
};

namespace detail {

class ProgramImpl {
public:
    struct CircularBufferAllocator {
        CoreRange core_range;
        std::vector<std::pair<uint64_t, uint64_t>> regions;
        void mark_address(uint64_t address, uint64_t size, uint64_t base);
    };
    ~ProgramImpl();
    std::span<const std::shared_ptr<CircularBufferImpl>> circular_buffers() const;
    void allocate_circular_buffers(const IDevice* device);
#ifndef BEFORE_SPAN
    void deallocate_circular_buffers();
#endif
    void allocate_dataflow_buffers(const IDevice* device);
    void allocate_scratchpads(const IDevice* device);
    void validate_circular_buffer_region(const IDevice* device);
    void validate_dataflow_buffer_region(const IDevice* device);
    void compile_and_allocate(IDevice* device, bool force);
    std::vector<CoreRange> dataflow_buffers_unique_coreranges() const;
    std::unordered_map<uint32_t, std::shared_ptr<Kernel>>& get_kernels(uint32_t core_type);
    uint64_t get_id() const;
    uint32_t& get_program_config_size(uint32_t core_type);

    uint64_t id = 0;
    bool placed = false;
    std::vector<std::shared_ptr<CircularBufferImpl>> buffers;
    std::vector<std::pair<CoreRange, uint32_t>> dataflow;  // cores and bytes
    std::vector<CircularBufferAllocator> dataflow_allocators;
    std::unordered_map<uint32_t, std::shared_ptr<Kernel>> kernels;
    uint32_t end = 0, config_bytes = 0;
};

}  // namespace detail

class Program {
public:
    std::shared_ptr<detail::ProgramImpl> implementation;
};

struct KernelGroup {};
class WorkerConfigBufferMgr {
public:
    void init_add_buffer(uint32_t address, uint32_t bytes);
};
// Of a device that opens.
void add_rings();
namespace program_dispatch {
uint32_t finalize_kernel_bins(
    IDevice* device, uint32_t core_type, const std::unordered_map<uint32_t, std::shared_ptr<Kernel>>& kernels,
    std::vector<std::shared_ptr<KernelGroup>>& groups, uint32_t base, uint32_t& offset, uint32_t& size);
}

namespace distributed {

using MeshTraceId = ttsl::StrongType<uint32_t, MeshTraceIdTag>;

class MeshWorkload {
public:
    std::unordered_map<uint64_t, Program>& get_programs();
    std::unordered_map<uint64_t, Program> programs;
    MeshDevice* mesh = nullptr;
};
void EnqueueMeshWorkload(MeshCommandQueue& queue, MeshWorkload& workload, bool blocking);

}  // namespace distributed
}  // namespace tt::tt_metal
