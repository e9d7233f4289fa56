//! What is in use of the heap. One thread measures at a time.

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// How many bytes more than before were in use at once.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let made = work();
    (made, HEAP.peak_usage().saturating_sub(before))
}
