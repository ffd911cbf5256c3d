// See tt_metal.h.
#include "tt_metal.h"

#include <unistd.h>

#include <stdexcept>

namespace tt::umd {

const std::unordered_map<int, uint64_t>& ClusterDescriptor::get_chip_unique_ids() const { return ids; }

}  // namespace tt::umd

namespace tt::tt_metal {

Buffer::Buffer(IDevice* device, AllocatorImpl* allocator, BufferType type, uint64_t page_size, uint32_t pages) :
    device_(device), allocator_(allocator), type_(type), page_size_(page_size), pages_(pages) {}
uint32_t Buffer::address() const { return address_; }
uint64_t Buffer::page_size() const { return page_size_; }
uint32_t Buffer::num_pages() const { return pages_; }
uint64_t Buffer::aligned_size() const {
    uint64_t alignment = allocator_->get_alignment(type_);
    return pages_ * ((page_size_ + alignment - 1) / alignment * alignment);
}
uint64_t Buffer::aligned_size_per_bank() const {
    uint64_t banks = allocator_->regions[int(type_)].banks;
    return (pages_ + banks - 1) / banks * (aligned_size() / pages_);
}
bool Buffer::is_dram() const { return type_ == BufferType::DRAM; }
bool Buffer::is_l1() const { return type_ == BufferType::L1 || type_ == BufferType::L1_SMALL; }
#ifdef OLD
bool Buffer::is_trace() const { return type_ == BufferType::TRACE; }
#else
uint64_t Buffer::size() const { return page_size_ * pages_; }
BufferType Buffer::buffer_type() const { return type_; }
TensorMemoryLayout Buffer::buffer_layout() const { return TensorMemoryLayout::INTERLEAVED; }
IDevice* Buffer::device() const { return device_; }
#endif

AllocatorImpl::AllocatorImpl(const AllocatorConfig& config) : config(config) {
    constexpr uint64_t l1_end = 1'499'136, l1_start = 105'824;
    regions[0] = {32, 1'000'000'000, 0, 12, {}, 0, {}};
    regions[1] = {l1_start, l1_end - config.l1_small_size - l1_start, 0, 64, {}, 0, {}};
    regions[3] = {l1_end - config.l1_small_size, config.l1_small_size, 0, config.l1_small_size ? 64u : 0u, {}, 0, {}};
    regions[4] = {1'000'000'032, 1'048'576, 0, 12, {}, 0, {}};
}
AllocatorImpl::~AllocatorImpl() = default;

uint64_t AllocatorImpl::allocate_buffer(Buffer* buffer) {
    Region& region = regions[int(buffer->type_)];
    // Blocks have the alignment of DRAM in every kind.
    uint64_t alignment = get_alignment(BufferType::DRAM);
    uint64_t size = (buffer->aligned_size_per_bank() + alignment - 1) / alignment * alignment;
    if (config.only_counts) {
        region.allocated += size;
        return region.start;
    }
    std::lock_guard lock(mutex);
    if (region.allocated + size > region.size) {
        throw std::runtime_error("Out of Memory");
    }
    // L1 is handed out from its end.
    bool down = buffer->type_ == BufferType::L1;
    uint64_t address = down ? region.start + region.size - region.next - size : region.start + region.next;
    if (!region.freed.empty()) {
        address = region.freed.back();
        region.freed.pop_back();
    } else {
        region.next += size;
    }
    region.allocated += size;
    region.buffers[buffer] = size;
    buffer->address_ = uint32_t(address);
    return address;
}

void AllocatorImpl::deallocate_buffer(Buffer* buffer) {
    Region& region = regions[int(buffer->type_)];
    if (config.only_counts) {
        region.allocated -= buffer->aligned_size_per_bank();
        return;
    }
    std::lock_guard lock(mutex);
    if (auto found = region.buffers.find(buffer); found != region.buffers.end()) {
        region.allocated -= found->second;
        if (region.freed.size() < 64) {
            region.freed.push_back(buffer->address_);
        }
        region.buffers.erase(found);
    }
}

void AllocatorImpl::deallocate_buffers() {
    std::lock_guard lock(mutex);
    for (Region& region : regions) {
        region.allocated = 0;
        region.buffers.clear();
    }
}
void AllocatorImpl::clear() { deallocate_buffers(); }
void AllocatorImpl::override_state(const AllocatorState&) { deallocate_buffers(); }

std::atomic<bool> AllocatorImpl::is_slow, AllocatorImpl::is_asked;

Statistics AllocatorImpl::get_statistics(const BufferType& type) const {
    std::lock_guard lock(mutex);
    if (is_slow) {
        is_asked = true;
        usleep(200'000);
    }
    const Region& region = regions[int(type)];
    uint64_t free = region.size - region.allocated;
#ifdef OLD
    return {region.size, region.allocated, free, free, {1, 2, 3}};
#else
    return {region.size, region.allocated, free, free};
#endif
}
uint32_t AllocatorImpl::get_num_banks(const BufferType& type) const { return regions[int(type)].banks; }
uint32_t AllocatorImpl::get_alignment(BufferType type) const {
    return type == BufferType::L1 || type == BufferType::L1_SMALL ? 16 : 32;
}
uint64_t AllocatorImpl::get_base_allocator_addr(const HalMemType& memory) const {
    return regions[memory == HalMemType::L1 ? 1 : 0].start;
}

L1BankingAllocator::L1BankingAllocator(const AllocatorConfig& config) : AllocatorImpl(config) {}
L1BankingAllocator::~L1BankingAllocator() = default;

bool Device::initialize(uint8_t, size_t l1_small, size_t, size_t, std::span<const uint32_t>, bool) {
    allocator_ = std::make_unique<L1BankingAllocator>(AllocatorConfig{l1_small});
    return true;
}
bool Device::close() {
    allocator_.reset();
    return true;
}
const std::unique_ptr<AllocatorImpl>& Device::allocator_impl() const { return allocator_; }

SubDeviceManager::SubDeviceManager(std::span<const SubDevice> list, uint64_t, IDevice*) {
    for (size_t index = 0; index < list.size(); ++index) {
        allocators.push_back(std::make_unique<L1BankingAllocator>(AllocatorConfig{}));
    }
}

GraphTracker& GraphTracker::instance() {
    static GraphTracker tracker;
    return tracker;
}

static thread_local std::vector<std::string> contexts;
void push_allocation_context(std::string_view name) { contexts.emplace_back(name); }
void pop_allocation_context() { contexts.pop_back(); }

namespace distributed {

#ifdef LEGACY
bool MeshDevice::initialize(uint8_t, size_t l1_small, size_t, size_t, std::span<const uint32_t>, bool) {
    allocator_ = std::make_unique<L1BankingAllocator>(AllocatorConfig{l1_small});
    return true;
}
#define OWNER (*this)
#else
bool MeshDeviceImpl::initialize_impl(
    MeshDevice*, uint8_t, size_t l1_small, size_t, size_t, std::span<const uint32_t>, bool) {
    add_rings();
    allocator_ = std::make_unique<L1BankingAllocator>(AllocatorConfig{l1_small});
    return true;
}
bool MeshDevice::initialize(uint8_t a, size_t b, size_t c, size_t d, std::span<const uint32_t> e, bool f) {
    return implementation->initialize_impl(this, a, b, c, d, e, f);
}
#define OWNER (*implementation)
#endif
bool MeshDevice::close() {
    if (OWNER.allocator_) {
        OWNER.allocator_->deallocate_buffers();
    }
    OWNER.allocator_.reset();
    return true;
}
const std::unique_ptr<AllocatorImpl>& MeshDevice::allocator_impl() const { return OWNER.allocator_; }
std::vector<int> MeshDevice::get_device_ids() const {
    std::vector<int> ids;
    for (const auto& device : OWNER.devices) {
        ids.push_back(device->id);
    }
    return ids;
}
std::vector<IDevice*> MeshDevice::get_devices() const {
    std::vector<IDevice*> devices;
    for (const auto& device : OWNER.devices) {
        devices.push_back(device.get());
    }
    return devices;
}

void MeshWorkloadImpl::load_binaries(MeshCommandQueue&) { allocate(); }
void (*MeshTrace::allocate)() = nullptr;
void MeshTrace::populate_mesh_buffer(
    MeshCommandQueue&, std::shared_ptr<MeshTraceBuffer>&, uint64_t, uint64_t, uint64_t) {
    allocate();
}

}  // namespace distributed
}  // namespace tt::tt_metal

#ifndef LEGACY
#include "programs.cpp"
#endif
