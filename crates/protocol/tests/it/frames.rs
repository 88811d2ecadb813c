//! Frames over an in-memory stream: bounds, deadlines, versions.

use std::time::Duration;

use keyhold_protocol::frame::{
    Deadline, FrameError, FrameLimit, FrameRules, read_frame, read_message, write_frame, write_message,
};
use tokio::io::AsyncWriteExt as _;

const RULES: FrameRules = FrameRules { version: 3, limit: FrameLimit::LOCAL };
const SOON: Deadline = Deadline::Within(Duration::from_secs(20));
const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn messages_arrive_in_order_and_the_end_is_no_error() {
    let (mut near, mut far) = tokio::io::duplex(64);
    let send = tokio::spawn(async move {
        for id in 1..=3u64 {
            write_message(&mut near, RULES, id, &vec!["x".repeat(500); 3], WITHIN).await.unwrap();
        }
    });
    for id in 1..=3u64 {
        let message = read_message::<Vec<String>, _>(&mut far, RULES, SOON).await.unwrap().unwrap();
        assert_eq!((message.v, message.id, message.body.len()), (3, id, 3));
    }
    send.await.unwrap();
    assert!(read_message::<Vec<String>, _>(&mut far, RULES, SOON).await.unwrap().is_none());
}

#[tokio::test]
async fn an_oversized_frame_is_refused_on_its_prefix_alone() {
    for announced in [0u32, 101, u32::MAX] {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(&announced.to_be_bytes()).await.unwrap();
        // The body never comes, so an answer at all shows that nobody waited for it.
        let result = read_frame(&mut far, FrameLimit::new(100), SOON).await;
        assert!(matches!(result, Err(FrameError::Size { .. })), "{announced}");
    }
}

#[tokio::test]
async fn nothing_is_written_of_a_frame_above_the_limit() {
    let (mut near, mut far) = tokio::io::duplex(64);
    let result = write_frame(&mut near, &[b' '; 101], FrameLimit::new(100), WITHIN).await;
    assert!(matches!(result, Err(FrameError::Size { announced: 101, limit: 100 })));
    drop(near);
    assert!(read_frame(&mut far, FrameLimit::LOCAL, SOON).await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame_is_truncated() {
    for sent in [&[0u8, 0][..], &[0, 0, 0, 5, b'a']] {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(sent).await.unwrap();
        drop(near);
        let result = read_frame(&mut far, FrameLimit::LOCAL, SOON).await;
        assert!(matches!(result, Err(FrameError::Truncated)));
    }
}

#[tokio::test]
async fn a_slow_peer_meets_the_deadline_and_an_idle_one_does_not() {
    let short = Duration::from_millis(20);
    let (mut near, mut far) = tokio::io::duplex(64);
    let silent = read_frame(&mut far, FrameLimit::LOCAL, Deadline::Within(short)).await;
    assert!(matches!(silent, Err(FrameError::TimedOut(_))));

    near.write_all(&[0, 0, 0, 5]).await.unwrap();
    let dripping = read_frame(&mut far, FrameLimit::LOCAL, Deadline::AfterFirstByte(short)).await;
    assert!(matches!(dripping, Err(FrameError::TimedOut(_))));

    let (mut near, mut far) = tokio::io::duplex(64);
    let waiting = tokio::spawn(async move {
        read_frame(&mut far, FrameLimit::LOCAL, Deadline::AfterFirstByte(Duration::from_secs(20))).await
    });
    tokio::time::sleep(short).await;
    write_frame(&mut near, b"late", FrameLimit::LOCAL, WITHIN).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), b"late");
}

#[tokio::test]
async fn a_reader_that_does_not_read_meets_the_writers_deadline() {
    let (mut near, _far) = tokio::io::duplex(8);
    let result = write_frame(&mut near, &[b' '; 64], FrameLimit::LOCAL, Duration::from_millis(20)).await;
    assert!(matches!(result, Err(FrameError::TimedOut(_))));
}

#[tokio::test]
async fn another_version_is_named_even_when_the_rest_is_unknown() {
    let (mut near, mut far) = tokio::io::duplex(256);
    write_frame(&mut near, br#"{"v":4,"id":"new kind","news":[]}"#, FrameLimit::LOCAL, WITHIN).await.unwrap();
    let result = read_message::<String, _>(&mut far, RULES, SOON).await;
    assert!(matches!(result, Err(FrameError::Version { theirs: 4, ours: 3 })));
}
