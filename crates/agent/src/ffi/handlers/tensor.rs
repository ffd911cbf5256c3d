//! Tensors: the shape of what was allocated.

use ttmem_segment::Hook;

use super::super::{Start, guarded, tensor_api};
use super::note_call;
use crate::recorder::Allocated;
use crate::shapes::{self, Seen};

/// `MeshTensor::MeshTensor`: the tensor of the buffer that this thread allocated before. A view of another buffer says
/// nothing new.
pub(in crate::ffi) fn new_tensor(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64) -> u64,
    this: u64,
    buffer: u64,
    spec: u64,
    topology: u64,
) -> u64 {
    let has_buffer = tensor_api::points_somewhere(buffer);
    let made = real(this, buffer, spec, topology);
    if has_buffer {
        guarded(Start::No, |recorder, thread| {
            note_call(recorder, hook);
            let newest = thread.allocated.replace(Allocated::NONE);
            if tensor_api::address(this).is_some_and(|address| newest.is_at(address)) {
                let shape = &thread.newest(recorder.process).shape;
                let intern = |seen: Seen<'_>| shapes::intern(recorder, seen, shape);
                if let Some(shape) = tensor_api::with_shape(this, intern) {
                    recorder.shaped(newest, shape);
                }
            }
        });
    }
    made
}
