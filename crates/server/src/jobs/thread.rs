//! A thread of its own for work that must never delay a bot.

use tokio::sync::oneshot;

/// Runs work on a new thread of the lowest priority. The receiver ends without a value when the work panics.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<oneshot::Receiver<T>> {
    let (done, receiver) = oneshot::channel();
    let body = move || {
        if let Err(error) = keyhold_os::priority::lower_this_thread() {
            tracing::warn!(error = &error as &dyn std::error::Error, "a thread keeps its priority");
        }
        // Nobody waits for it anymore when the server ends.
        let _unheard = done.send(work());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_panic_is_an_end_without_a_value() {
        let panics = || -> u8 { unreachable!("on purpose, to see it end") };
        assert!(super::spawn("test", panics).unwrap().await.is_err());
        assert_eq!(super::spawn("test", || 7).unwrap().await, Ok(7));
    }
}
