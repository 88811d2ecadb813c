//! Live updates: what happens is told, can be resumed, stays in its workspace and ends with the session.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::world::World;

/// Reads until the text appears; `None` when the stream ends first.
pub(crate) async fn read_until(stream: &mut TcpStream, seen: &mut String, needle: &str) -> Option<()> {
    let reading = async {
        let mut buffer = [0; 4096];
        while !seen.contains(needle) {
            let count = stream.read(&mut buffer).await.ok()?;
            if count == 0 {
                return None;
            }
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        Some(())
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("in time")
}

#[tokio::test]
async fn a_stream_tells_resumes_and_ends_with_its_session() {
    let world = World::start().await;
    let mut alice = world.owner().await;
    let mut bob = world.user("bob@example.org").await;
    let mut stream = alice.send("GET", "/stream", None).await;
    let mut of_bob = bob.send("GET", "/stream", None).await;
    let (mut seen, mut seen_by_bob) = (String::new(), String::new());
    read_until(&mut stream, &mut seen, "retry:").await.unwrap();
    assert!(seen.contains("text/event-stream") && seen.contains("x-accel-buffering: no"), "{seen}");
    read_until(&mut of_bob, &mut seen_by_bob, "retry:").await.unwrap();
    let bot = alice.post("/bots", json!({"label": "watched", "start": "paused"})).await.ok();
    read_until(&mut stream, &mut seen, bot["id"].as_str().unwrap()).await.unwrap();
    assert!(seen.contains("event: bot"), "{seen}");

    let id = seen.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let (start, number) = id.rsplit_once('-').unwrap();
    let before = format!("{start}-{}", number.parse::<u64>().unwrap() - 1);
    let mut resumed = alice.clone();
    resumed.extra = vec![("last-event-id".to_owned(), before)];
    let mut again = resumed.send("GET", "/stream", None).await;
    read_until(&mut again, &mut String::new(), &format!("id: {id}")).await.unwrap();
    resumed.extra = vec![("last-event-id".to_owned(), "long-1".to_owned())];
    let mut lost = resumed.send("GET", "/stream", None).await;
    read_until(&mut lost, &mut String::new(), "event: reset").await.unwrap();

    // Ended from elsewhere: the stream ends though nothing is sent on it.
    let mut elsewhere = world.client();
    let body = json!({"email": "alice@example.org", "password": crate::world::PASSWORD});
    elsewhere.post("/session", body).await.ok();
    let sessions = elsewhere.get("/sessions").await.ok();
    let other = sessions.as_array().unwrap().iter().find(|entry| entry["current"] == false).unwrap();
    elsewhere.delete(&format!("/sessions/{}", other["id"].as_str().unwrap())).await;
    assert!(read_until(&mut stream, &mut seen, "never sent").await.is_none(), "the stream has ended");

    bob.post("/bots", json!({"label": "bob's own", "start": "paused"})).await.ok();
    read_until(&mut of_bob, &mut seen_by_bob, "bob's own").await.unwrap();
    assert!(!seen_by_bob.contains("watched"), "bob hears nothing of alice");
    world.end().await;
}
