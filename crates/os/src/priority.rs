//! Work that must wait for everything else: threads that take the processor only when nobody else wants it much.

use rustix::process::setpriority_process;

/// The lowest priority there is (`nice` 19).
const LOWEST: i32 = 19;

/// Gives the calling thread the lowest priority, for good: raising it again takes a privilege. On Linux the call named
/// after processes concerns the thread that makes it; other threads keep theirs.
///
/// # Errors
/// The kernel's refusal, which lowering never meets on a system without a filter for this call.
pub fn lower_this_thread() -> std::io::Result<()> {
    setpriority_process(None, LOWEST).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn only_the_calling_thread_is_lowered() {
        let before = getpriority_process(None).unwrap();
        let inside = std::thread::spawn(|| {
            lower_this_thread().unwrap();
            getpriority_process(None).unwrap()
        });
        assert_eq!(inside.join().unwrap(), LOWEST);
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
