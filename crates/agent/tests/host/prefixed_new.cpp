// A conforming replacement of operator new and delete that puts a header before each block. What frees a block by any other
// function ends the program.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

static constexpr uint64_t mark = 0x7474'6d65'6d00'0001;

static void* allocate(size_t bytes) {
    auto* block = static_cast<uint64_t*>(malloc(bytes + 16));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    block[0] = mark;
    return block + 2;
}

static void release(void* pointer) {
    if (pointer == nullptr) {
        return;
    }
    auto* block = static_cast<uint64_t*>(pointer) - 2;
    if (block[0] != mark) {
        fputs("freed what operator new did not allocate\n", stderr);
        abort();
    }
    block[0] = 0;
    free(block);
}

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void operator delete(void* pointer) noexcept { release(pointer); }
void operator delete[](void* pointer) noexcept { release(pointer); }
void operator delete(void* pointer, size_t) noexcept { release(pointer); }
void operator delete[](void* pointer, size_t) noexcept { release(pointer); }
