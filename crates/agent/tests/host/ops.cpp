// The code between a program and TT-Metal, like ttnn: loaded by `host` with RTLD_LOCAL, and TT-Metal with it, as Python
// does. Exports C functions, for nothing of it can be linked with.
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "tt_metal.h"

using namespace tt::tt_metal;
using namespace tt::tt_metal::distributed;

namespace {

std::unique_ptr<MeshDevice> mesh;
std::unique_ptr<SubDeviceManager> sub_devices;
std::map<std::string, std::unique_ptr<Buffer>> buffers;
#ifndef LEGACY
std::map<std::string, std::unique_ptr<MeshWorkload>> workloads;
int traces = 0;
#endif

#ifdef LEGACY
MeshDevice& owner() { return *mesh; }
#else
MeshDeviceImpl& owner() { return *mesh->implementation; }
#endif

}  // namespace

namespace ttnn {

// The function that all of ttnn's tensors come from. It announces itself too.
__attribute__((noinline)) void create_device_tensor(Buffer* buffer) {
    GraphTracker::instance();
    buffer->allocator_->allocate_buffer(buffer);
    asm volatile("");  // no tail call
}

}  // namespace ttnn

namespace {

Buffer* make(const std::string& name, int type, uint64_t page_size, uint32_t pages, AllocatorImpl* allocator) {
    auto buffer = std::make_unique<Buffer>(mesh.get(), allocator, BufferType(type), page_size, pages);
    ttnn::create_device_tensor(buffer.get());
    return (buffers[name] = std::move(buffer)).get();
}

struct Times {
    double mean, p99;
};

// Nanoseconds of allocate and free, pair by pair. Each thread has live buffers of its own, as programs do.
Times time_pairs(int pairs, int count, double nanoseconds_per_tick) {
    AllocatorImpl* allocator = owner().allocator_.get();
    std::vector<std::unique_ptr<Buffer>> live;
    for (int index = 0; index < count; ++index) {
        live.push_back(std::make_unique<Buffer>(mesh.get(), allocator, BufferType::DRAM, 2048, 12));
        allocator->allocate_buffer(live.back().get());
    }
    std::vector<uint32_t> ticks(pairs);
    for (int index = 0; index < pairs; ++index) {
        Buffer& buffer = *live[index % count];
        uint64_t start = __rdtsc();
        allocator->deallocate_buffer(&buffer);
        allocator->allocate_buffer(&buffer);
        ticks[index] = uint32_t(__rdtsc() - start);
    }
    for (auto& buffer : live) {
        allocator->deallocate_buffer(buffer.get());
    }
    std::sort(ticks.begin(), ticks.end());
    // The mean leaves out the slowest thousandth: moments at which something else ran.
    size_t counted = ticks.size() - ticks.size() / 1000;
    double sum = 0;
    for (size_t index = 0; index < counted; ++index) {
        sum += ticks[index];
    }
    return {sum / counted * nanoseconds_per_tick, ticks[ticks.size() * 99 / 100] * nanoseconds_per_tick};
}

double tick_length() {
    auto start = std::chrono::steady_clock::now();
    uint64_t ticks = __rdtsc();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start;
    return passed.count() / double(__rdtsc() - ticks);
}

}  // namespace

namespace made_up {

struct GeluDeviceOperation {};

#ifndef LEGACY
// An op that announces itself, then its programs, and enqueues nothing, as in a graph that is captured without dispatch.
__attribute__((noinline)) void announce(MeshWorkload& workload) {
    GraphTracker& tracker = GraphTracker::instance();
    for (auto& [_, program] : workload.get_programs()) {
        tracker.track_program(&program, mesh.get());
    }
}

// An op that hands its programs over.
__attribute__((noinline)) void dispatch(MeshWorkload& workload) {
    static MeshCommandQueue queue;
    announce(workload);
    EnqueueMeshWorkload(queue, workload, false);
    asm volatile("");
}
#endif

// An op as the agent sees one: announces itself, then allocates further down the stack.
template <typename Operation>
__attribute__((noinline)) void launch(const std::string& name) {
    GraphTracker::instance();
    char frame[256];  // ops have large ones
    asm volatile("" : : "r"(frame) : "memory");
    make(name, 0, 2048, 12, owner().allocator_.get());
    GraphTracker::instance();
    asm volatile("");
}
template void launch<GeluDeviceOperation>(const std::string&);

}  // namespace made_up

extern "C" {

int host_unique_ids(int chips) {
    tt::umd::ClusterDescriptor cluster;
    for (int chip = 0; chip < chips; ++chip) {
        cluster.ids[chip] = 1000 + chip;
    }
    return int(cluster.get_chip_unique_ids().size());
}

void host_open(int chips, int l1_small) {
    host_unique_ids(chips);
    mesh = std::make_unique<MeshDevice>();
#ifndef LEGACY
    mesh->implementation = std::make_unique<MeshDeviceImpl>();
#endif
    for (int chip = 0; chip < chips; ++chip) {
        auto device = std::make_unique<Device>(chip);
        device->initialize(1, l1_small, 0, 0, {}, false);
        owner().devices.push_back(std::move(device));
    }
    mesh->initialize(1, l1_small, 0, 0, {}, false);
}

// Forks while another thread asks the allocator. 0 if the child could allocate, else how it ended. Its pid is `*pid`.
int host_fork_while_asked(int* pid) {
    AllocatorImpl::is_slow = true;
    AllocatorImpl* allocator = owner().allocator_.get();
    make("seen", 0, 2048, 12, allocator);
    for (int round = 0; round < 5000 && !AllocatorImpl::is_asked; ++round) {
        usleep(1000);
    }
    pid_t child = fork();
    if (child == 0) {
        AllocatorImpl::is_slow = false;
        alarm(5);
        make("of the child", 0, 2048, 12, allocator);
        _exit(AllocatorImpl::is_asked ? 0 : 9);
    }
    AllocatorImpl::is_slow = false;
    int status;
    waitpid(child, &status, 0);
    *pid = child;
    return status;
}

// Opens devices while a signal comes every 50 us, whose handler lets no system call be restarted.
void host_open_interrupted() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    itimerval often{{0, 50}, {0, 50}}, never{};
    setitimer(ITIMER_REAL, &often, nullptr);
    host_open(1, 0);
    setitimer(ITIMER_REAL, &never, nullptr);
}

void host_close() {
    buffers.clear();
    sub_devices.reset();
    for (auto& device : owner().devices) {
        device->close();
    }
    mesh->close();
    mesh.reset();
}

// 1 if it threw what TT-Metal throws.
int host_allocate(const char* name, int type, uint64_t page_size, uint32_t pages) {
    try {
        make(name, type, page_size, pages, owner().allocator_.get());
        return 0;
    } catch (const std::runtime_error& error) {
        return strcmp(error.what(), "Out of Memory") == 0 ? 1 : 2;
    }
}

void host_free(const char* name) {
    Buffer& buffer = *buffers.at(name);
    buffer.allocator_->deallocate_buffer(&buffer);
    buffers.erase(name);
}

void host_sub_devices(int count) {
    std::vector<SubDevice> list(count);
    sub_devices = std::make_unique<SubDeviceManager>(list, 0, mesh.get());
    make("sub", 1, 2048, 64, sub_devices->allocators.back().get());
}

void host_mass_free(const char* how) {
    AllocatorImpl& allocator = *owner().allocator_;
    switch (how[0]) {
        case 'a': allocator.deallocate_buffers(); break;
        case 'c': allocator.clear(); break;
        case 'o': allocator.override_state({}); break;
        case 'd': owner().allocator_.reset(); break;
    }
    buffers.clear();
}

void host_kernels(const char* name) {
    static std::string wanted;
    wanted = name;
    MeshWorkloadImpl workload;
    workload.allocate = [] { make(wanted, 0, 4096, 12, owner().allocator_.get()); };
    MeshCommandQueue queue;
    workload.load_binaries(queue);
}

void host_trace(const char* name) {
    static std::string wanted;
    wanted = name;
    MeshTrace::allocate = [] { make(wanted, 0, 8192, 12, owner().allocator_.get()); };
    MeshCommandQueue queue;
    std::shared_ptr<MeshTraceBuffer> trace;
    MeshTrace::populate_mesh_buffer(queue, trace, 1, 2, 3);
}

void host_op(const char* name) { made_up::launch<made_up::GeluDeviceOperation>(name); }

void host_context(const char* context, const char* name) {
    push_allocation_context(context);
    push_allocation_context("ttnn.allocate_tensor_on_device");
    make(name, 0, 2048, 12, owner().allocator_.get());
    pop_allocation_context();
    pop_allocation_context();
}

// Many threads allocate and free at once; each leaves one buffer.
void host_threads(int threads, int pairs) {
    AllocatorImpl* allocator = owner().allocator_.get();
    static std::mutex lock;
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) {
        running.emplace_back([=] {
            for (int index = 0; index < pairs; ++index) {
                Buffer buffer(mesh.get(), allocator, BufferType::DRAM, 2048, 12 + index % 7);
                allocator->allocate_buffer(&buffer);
                allocator->deallocate_buffer(&buffer);
            }
            std::lock_guard guard(lock);
            make("thread " + std::to_string(thread), 0, 2048, 12, allocator);
        });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
}

// A signal every 50 us, whose handler allocates and frees too, while the main program does.
void host_signals(int pairs) {
    static AllocatorImpl* allocator;
    allocator = new L1BankingAllocator(AllocatorConfig{0, true});
    struct sigaction action {};
    action.sa_handler = [](int) {
        Buffer buffer(nullptr, allocator, BufferType::DRAM, 32, 1);
        allocator->allocate_buffer(&buffer);
        allocator->deallocate_buffer(&buffer);
    };
    sigaction(SIGUSR1, &action, nullptr);
    pthread_t main_thread = pthread_self();
    std::atomic<bool> done = false;
    std::thread sender([&] {
        while (!done) {
            pthread_kill(main_thread, SIGUSR1);
            usleep(50);
        }
    });
    for (int index = 0; index < pairs; ++index) {
        Buffer buffer(mesh.get(), owner().allocator_.get(), BufferType::DRAM, 2048, 12);
        owner().allocator_->allocate_buffer(&buffer);
        owner().allocator_->deallocate_buffer(&buffer);
    }
    done = true;
    sender.join();
}

void host_times(int threads, int pairs, int count, double* mean, double* p99) {
    double length = tick_length();
    std::vector<Times> times(threads);
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) {
        running.emplace_back([&, thread] { times[thread] = time_pairs(pairs, count, length); });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
    *mean = *p99 = 0;
    for (const Times& each : times) {
        *mean += each.mean / threads;
        *p99 = std::max(*p99, each.p99);
    }
}

#ifndef LEGACY
// Makes a program on a rectangle of cores with buffers, one a word: its bytes, with d before them for a dataflow buffer, with
// s before them for a scratchpad, or with @ before the name of a buffer whose memory it is. `config` is what it takes in the ring.
void host_program(const char* name, const uint32_t* corners, uint32_t config, const char* const* parts, int count) {
    static uint64_t serial = 0;
    auto program = std::make_shared<detail::ProgramImpl>();
    program->id = ++serial;
    program->config_bytes = config;
    CoreRange cores{{corners[0], corners[1]}, {corners[2], corners[3]}};
    auto kernel = std::make_shared<DataMovementKernel>();
    for (int index = 0; index < count; ++index) {
        std::string part = parts[index];
        if (part[0] == 's') {
            kernel->scratchpads.push_back(uint32_t(std::stoul(part.substr(1))));
            continue;
        }
        if (part[0] == 'd') {
            program->dataflow.emplace_back(cores, std::stoul(part.substr(1)));
            continue;
        }
        auto buffer = std::make_shared<CircularBufferImpl>();
        buffer->cores.ranges = {cores};
        buffer->index = uint32_t(index);
        if (part[0] == '@') {
            buffer->buffer = buffers.at(part.substr(1)).get();
            buffer->bytes = uint32_t(buffer->buffer->aligned_size_per_bank());
        } else {
            buffer->bytes = uint32_t(std::stoul(part));
        }
        program->buffers.push_back(buffer);
    }
    kernel->text = std::string("a_kernel_with_a_name_longer_than_a_short_string_of_") + name;
    kernel->cores = cores;
    kernel->bytes = 268;
    program->kernels[1] = kernel;
    auto workload = std::make_unique<MeshWorkload>();
    workload->mesh = mesh.get();
    workload->programs[program->id].implementation = program;
    workloads[name] = std::move(workload);
}

// Gives the first circular buffer that is the memory of a buffer another one, as a cached op does.
void host_retarget(const char* name, const char* buffer) {
    for (auto& [_, program] : workloads.at(name)->programs) {
        for (auto& held : program.implementation->buffers) {
            if (held->buffer) {
                held->buffer = buffers.at(buffer).get();
                return;
            }
        }
    }
}

// 0, or 1 if TT-Metal refused it.
int host_dispatch(const char* name) {
    try {
        made_up::dispatch(*workloads.at(name));
        return 0;
    } catch (const std::exception&) {
        return 1;
    }
}

void host_announce(const char* name) { made_up::announce(*workloads.at(name)); }

// Moves the program of a workload into another one.
void host_join(const char* name, const char* other) {
    workloads.at(name)->programs.merge(workloads.at(other)->programs);
    workloads.erase(other);
}

// Nanoseconds of a cached dispatch.
double host_dispatch_times(const char* name, int count) {
    MeshWorkload& workload = *workloads.at(name);
    double length = tick_length();
    std::vector<uint32_t> ticks(count);
    for (uint32_t& each : ticks) {
        uint64_t start = __rdtsc();
        made_up::dispatch(workload);
        each = uint32_t(__rdtsc() - start);
    }
    std::sort(ticks.begin(), ticks.end());
    size_t counted = ticks.size() - ticks.size() / 1000;
    double sum = 0;
    for (size_t index = 0; index < counted; ++index) {
        sum += ticks[index];
    }
    return sum / counted * length;
}

void host_destroy(const char* name) { workloads.erase(name); }

void host_dispatch_threads(int threads, int count) {
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) {
        running.emplace_back([=] {
            std::string name = "thread" + std::to_string(thread);
            for (int index = 0; index < count; ++index) {
                made_up::dispatch(*workloads.at(name));
            }
        });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
}

int host_trace_step(const char* step, int number) {
    MeshTraceId id{uint32_t(number)};
    std::string what = step;
    MeshTrace::allocate = [] { make("trace " + std::to_string(++traces), 4, 1024, 12, owner().allocator_.get()); };
    try {
        if (what == "begin") {
            owner().begin_mesh_trace(1, id);
        } else if (what == "end") {
            owner().end_mesh_trace(1, id);
        } else if (what == "replay") {
            owner().replay_mesh_trace(1, id, false);
        } else {
            owner().release_mesh_trace(id);
        }
        return 0;
    } catch (const std::exception&) {
        return 1;
    }
}
#endif

// What the mesh's allocator says: allocated bytes per bank of DRAM, L1, L1_SMALL, TRACE.
void host_statistics(uint64_t* allocated) {
    for (BufferType type : {BufferType::DRAM, BufferType::L1, BufferType::L1_SMALL, BufferType::TRACE}) {
        *allocated++ = owner().allocator_->get_statistics(type).allocated;
    }
}
}
