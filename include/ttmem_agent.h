/* What a process can ask the ttmem agent that is loaded into it (LD_PRELOAD=libttmem_agent.so, or `ttmem run`).
 *
 * The functions are safe to call from any thread at any time. While the agent is not recording, because the process has
 * not used a device yet or the agent has switched itself off, numbers are 0. A program that should also run without the
 * agent looks the functions up: dlsym(RTLD_DEFAULT, "ttmem_memory_allocated").
 *
 * Bytes are those that TT-Metal's allocators have reserved on a chip, in all of its banks: bytes per bank times banks.
 * A tensor on a mesh counts on every chip of the mesh.
 */
#ifndef TTMEM_AGENT_H
#define TTMEM_AGENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds of memory. */
enum ttmem_kind { TTMEM_DRAM = 0, TTMEM_L1 = 1, TTMEM_L1_SMALL = 2, TTMEM_TRACE = 3 };

/* Chip argument for the sum over all chips. Any other value is the number that TT-Metal gives the device. */
#define TTMEM_ALL_CHIPS (-1)

/* Grows when something is added; nothing is taken away. */
uint32_t ttmem_abi_version(void);

/* 1 if the agent records, else 0. */
int32_t ttmem_is_recording(void);

/* Bytes of the live buffers. */
uint64_t ttmem_memory_allocated(int32_t chip, int32_t kind);

/* The most bytes there ever were, or since the last reset. Where several allocators of a chip were open at the same time
 * (a mesh's and a sub-device's), it is the sum of their peaks, which need not have been at the same time. */
uint64_t ttmem_max_memory_allocated(int32_t chip, int32_t kind);

/* The most L1 that was in use on a chip at a time, in bytes of all its cores, since the start or the last reset: tensors,
 * and at a dispatch also the circular buffers, dataflow buffers, scratchpads and kernel text of the program. A circular
 * buffer that is the memory of a tensor counts once. With TTMEM_ALL_CHIPS the most of any chip. Version 2.
 *
 * After a reset it may be too high, never too low, if more programs were dispatched since than the segment's ring holds,
 * or if a trace was replayed: then the tensors of the fullest dispatch of each program count. Programs that the agent could
 * not record are not in it. */
uint64_t ttmem_max_l1_allocated(int32_t chip);

/* The same on the core with most of it, which is also a bank. Reserved memory is not in it. Version 2. */
uint64_t ttmem_max_l1_per_core(int32_t chip);

/* Number of live buffers. */
uint64_t ttmem_buffer_count(int32_t chip, int32_t kind);

/* Bytes that the allocators can hand out; 0 until 100 ms after a device was opened. */
uint64_t ttmem_memory_capacity(int32_t chip, int32_t kind);

/* Resets the peaks of all kinds to the current live bytes. */
void ttmem_reset_peak(int32_t chip);

/* Number of chips that were opened. */
int32_t ttmem_chip_count(void);

/* TT-Metal's number of a chip, by index from 0; -1 if there is none. Writes its unique id, 0 if it is not known. */
int32_t ttmem_chip(int32_t index, uint64_t *unique_id);

/* Writes the path of this process's segment and returns the bytes that it takes with its zero. Writes nothing if there is
 * less room, and returns 0 if there is no segment. */
size_t ttmem_segment_path(char *path, size_t bytes);

/* What this thread allocates until the matching pop goes under this name, unless a narrower one is pushed. */
void ttmem_push_label(const char *name);
void ttmem_pop_label(void);

#ifdef __cplusplus
}
#endif

#endif
