// See programs.h. Included by tt_metal.cpp.
#include <algorithm>
#include <stdexcept>
#include <thread>

namespace tt::tt_metal {

constexpr uint32_t L1_BASE = 105'824, L1_SIZE = 1'499'136, RING = 70'656;

bool CircularBufferImpl::is_on_logical_core(const xy_pair& core) const {
    return std::any_of(cores.ranges.begin(), cores.ranges.end(), [&](const CoreRange& range) { return range.contains(core); });
}
bool CircularBufferImpl::uses_buffer_index(uint32_t other) const { return other == index; }
uint32_t CircularBufferImpl::num_pages(uint32_t) const { return bytes / 32; }
uint32_t CircularBufferImpl::page_size(uint32_t) const { return 32; }
uint32_t CircularBufferImpl::address() const { return buffer ? buffer->address_ : own_address; }

std::string Kernel::name() const { return text; }
bool Kernel::is_on_logical_core(const xy_pair& core) const { return cores.contains(core); }
uint32_t Kernel::get_binary_packed_size(IDevice*, int) const { return bytes; }
DataMovementKernel::~DataMovementKernel() = default;
void Kernel::process_scratchpad_binding_handles(const EachScratchpad& each) const {
    for (uint32_t index = 0; index < scratchpads.size(); ++index) {
        each("a_scratchpad", scratchpads[index], index, std::nullopt);
    }
}
RuntimeArgsData& Kernel::common_runtime_args_data() { return arguments_data; }

void GraphTracker::track_program(Program*, const IDevice*) {}
void GraphTracker::track_allocate_cb(const CoreRangeSet&, uint64_t, uint64_t, bool, const IDevice*) {}

namespace detail {

ProgramImpl::~ProgramImpl() {}
std::span<const std::shared_ptr<CircularBufferImpl>> ProgramImpl::circular_buffers() const { return buffers; }
#ifndef BEFORE_SPAN
void ProgramImpl::deallocate_circular_buffers() {}
#endif
void ProgramImpl::CircularBufferAllocator::mark_address(uint64_t address, uint64_t size, uint64_t) {
    regions.emplace_back(address, address + size);
}
void ProgramImpl::allocate_circular_buffers(const IDevice* device) {
    if (placed) {
        return;
    }
    end = L1_BASE;
    for (const auto& buffer : buffers) {
        if (!buffer->buffer) {
            buffer->own_address = end;
            end += buffer->bytes;
            GraphTracker::instance().track_allocate_cb(buffer->cores, buffer->own_address, buffer->bytes, false, device);
        }
    }
}
void ProgramImpl::allocate_dataflow_buffers(const IDevice*) {
    if (placed) {
        return;
    }
    for (const auto& [cores, bytes] : dataflow) {
        dataflow_allocators.push_back({cores, {}});
        dataflow_allocators.back().mark_address(end, bytes, L1_BASE);
        end += bytes;
    }
    placed = true;
}
void ProgramImpl::allocate_scratchpads(const IDevice*) {
    for (auto& [_, kernel] : kernels) {
        if (!kernel->arguments.empty()) {
            continue;
        }
        for (uint32_t bytes : kernel->scratchpads) {
            kernel->arguments.push_back(end);
            end += bytes;
        }
        kernel->arguments_data = {kernel->arguments.data(), kernel->arguments.size()};
    }
}
static void validate(ProgramImpl& program, const IDevice* device) {
    const auto& allocator = static_cast<const distributed::MeshDevice*>(device)->allocator_impl();
    auto lowest = allocator->get_lowest_occupied_l1_address(0);
    if (program.end > L1_SIZE || (lowest && program.end > *lowest)) {
        program.placed = false;
        throw std::runtime_error("clash with L1 buffers");
    }
}
void ProgramImpl::validate_circular_buffer_region(const IDevice* device) { validate(*this, device); }
void ProgramImpl::validate_dataflow_buffer_region(const IDevice* device) { validate(*this, device); }
void ProgramImpl::compile_and_allocate(IDevice* device, bool) {
    // Of a program that is placed only its end is compared.
    if (placed) {
        const auto& allocator = static_cast<const distributed::MeshDevice*>(device)->allocator_impl();
        auto lowest = allocator->get_lowest_occupied_l1_address(0);
        if (!lowest || end <= *lowest) {
            return;
        }
    }
    allocate_circular_buffers(device);
    validate_circular_buffer_region(device);
    allocate_dataflow_buffers(device);
    allocate_scratchpads(device);
    validate_dataflow_buffer_region(device);
}
std::vector<CoreRange> ProgramImpl::dataflow_buffers_unique_coreranges() const {
    std::vector<CoreRange> ranges;
    for (const auto& [cores, _] : dataflow) {
        ranges.push_back(cores);
    }
    return ranges;
}
std::unordered_map<uint32_t, std::shared_ptr<Kernel>>& ProgramImpl::get_kernels(uint32_t) { return kernels; }
uint64_t ProgramImpl::get_id() const { return id; }
uint32_t& ProgramImpl::get_program_config_size(uint32_t) { return config_bytes; }

}  // namespace detail

std::optional<uint64_t> AllocatorImpl::get_lowest_occupied_l1_address(uint32_t) const {
    std::lock_guard lock(mutex);
    std::optional<uint64_t> lowest;
    for (const auto& [buffer, _] : regions[1].buffers) {
        lowest = std::min<uint64_t>(lowest.value_or(UINT64_MAX), buffer->address_);
    }
    return lowest;
}

void WorkerConfigBufferMgr::init_add_buffer(uint32_t, uint32_t) {}
uint32_t program_dispatch::finalize_kernel_bins(
    IDevice*, uint32_t, const std::unordered_map<uint32_t, std::shared_ptr<Kernel>>&,
    std::vector<std::shared_ptr<KernelGroup>>&, uint32_t base, uint32_t&, uint32_t&) {
    return base;
}
void add_rings() {
    WorkerConfigBufferMgr manager;
    manager.init_add_buffer(L1_BASE - RING, RING);
    manager.init_add_buffer(6'144, 25'600);
    manager.init_add_buffer(0, 7);
    manager.init_add_buffer(0, 1);
}

namespace distributed {

uint32_t MeshDevice::l1_size_per_core() const { return L1_SIZE; }
xy_pair MeshDevice::compute_with_storage_grid_size() const { return {8, 8}; }
std::unordered_map<uint64_t, Program>& MeshWorkload::get_programs() { return programs; }
void MeshWorkloadImpl::finalize_offsets(MeshDevice* mesh) {
    std::vector<std::shared_ptr<KernelGroup>> groups;
    uint32_t offset = 0, size = 0;
    for (auto& [_, program] : workload->programs) {
        auto& kernels = program.implementation->get_kernels(0);
        uint32_t base = program.implementation->config_bytes;
        if (program_dispatch::finalize_kernel_bins(mesh, 0, kernels, groups, base, offset, size) > RING) {
            throw std::runtime_error("too large for kernel config buffer");
        }
    }
}
void EnqueueMeshWorkload(MeshCommandQueue& queue, MeshWorkload& workload, bool) {
    // Several programs are compiled by threads of a pool.
    for (auto& [_, program] : workload.programs) {
        auto compile = [&] { program.implementation->compile_and_allocate(workload.mesh, false); };
        workload.programs.size() > 1 ? std::thread(compile).join() : compile();
    }
    MeshWorkloadImpl implementation;
    implementation.workload = &workload;
    implementation.finalize_offsets(workload.mesh);
    implementation.allocate = [] {};
    implementation.load_binaries(queue);
}

uint32_t MeshDeviceImpl::get_trace_buffers_size() const { return trace_bytes; }
void MeshDeviceImpl::begin_mesh_trace(uint8_t, const MeshTraceId&) {}
void MeshDeviceImpl::end_mesh_trace(uint8_t, const MeshTraceId&) {
    static MeshCommandQueue queue;
    static std::shared_ptr<MeshTraceBuffer> trace;
    trace_bytes += 12 * 1024;
    MeshTrace::populate_mesh_buffer(queue, trace, 0, 0, 0);
}
void MeshDeviceImpl::replay_mesh_trace(uint8_t, const MeshTraceId&, bool) {}
void MeshDeviceImpl::release_mesh_trace(const MeshTraceId&) { trace_bytes -= 12 * 1024; }

}  // namespace distributed
}  // namespace tt::tt_metal
