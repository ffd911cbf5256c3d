//! `libttmem_agent.so`: loaded into a TT-Metal process by `LD_PRELOAD`, it records what the allocators do in a shared
//! segment (`ttmem_segment`) that others read while the process lives and after it died.
//!
//! It interposes some of TT-Metal's exported functions: the dynamic linker finds the agent's definitions first, and
//! each calls the real function and records what it did. A process that never calls one of them is left alone: there is
//! no constructor, no thread, no file and no output. All that is started, is started by the first call.
//!
//! The agent is a guest. It never blocks the work, never prints, never lets a panic out, uses bounded memory and counts
//! what it has to drop. Where it cannot go on, it switches itself off and passes every call through.
//!
//! - `ffi`: all that is unsafe: the exported functions, calls into TT-Metal, the mapping, the thread.
//! - `process`: the state of this process, gone in a forked child.
//! - `recorder`: what the hooks write, lock-free.
//! - `sole`: the one thread that need not lock, as long as it is the only one.
//! - `registry`: which allocator belongs to which chips.
//! - `refresh`: what the sleeping thread does.
//! - `programs`, `handover`: what programs place in L1, and which a thread dispatches.
//! - `ops`, `names`, `symbols`: which op is running.
//! - `stacks`: the calls of Python that lead to an allocation.
//! - `query`: what the process can ask about itself.

mod elf;
#[expect(
    unsafe_code,
    reason = "hooks are called by C++, call C++ and write a shared mapping; every block says why it is sound"
)]
mod ffi;
mod handover;
mod names;
mod ops;
mod process;
mod programs;
mod query;
mod recorder;
mod refresh;
mod registry;
mod shapes;
mod sole;
mod stacks;
mod symbols;
