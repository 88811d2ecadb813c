//! A small HTTP client that behaves like a same-origin page: keeps cookies, sends JSON, reads problem documents.
//!
//! Blocking and without reuse of connections: clarity over speed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// A browser's view of one server.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    origin: String,
    cookies: BTreeMap<String, String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, parsed when it is JSON, otherwise as text.
    pub body: Value,
}

impl Answer {
    /// The body of a successful answer.
    ///
    /// # Panics
    /// When the status is not 2xx: the caller is a test.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "status {}: {}", self.status, self.body);
        self.body
    }

    /// The stable code of a problem document; empty when there is none.
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or("")
    }
}

const TIMEOUT: Duration = Duration::from_mins(1);

impl Client {
    /// A fresh profile. `origin` is what the server is configured with.
    pub fn new(address: SocketAddr, origin: &str) -> Self {
        Self { address, origin: origin.to_owned(), cookies: BTreeMap::new() }
    }

    /// Sends a request; `path` begins with `/`.
    pub fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.write_all(self.render(method, path, body).as_bytes())?;
        let answer = read_answer(&mut BufReader::new(stream))?;
        for (name, value) in &answer.headers {
            if name == "set-cookie" {
                self.keep_cookie(value);
            }
        }
        Ok(answer)
    }

    /// `GET`.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.call("GET", path, None).expect("the server answers")
    }

    /// `POST` with a JSON body.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[track_caller]
    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body)).expect("the server answers")
    }

    /// `PUT` with a JSON body.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[track_caller]
    pub fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, Some(body)).expect("the server answers")
    }

    /// `PATCH` with a JSON body.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[track_caller]
    pub fn patch(&mut self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, Some(body)).expect("the server answers")
    }

    /// `DELETE`.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[track_caller]
    pub fn delete(&mut self, path: &str) -> Answer {
        self.call("DELETE", path, None).expect("the server answers")
    }

    /// Begins to listen to an endless answer, as a page listens to the stream of events.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[track_caller]
    pub fn listen(&self, path: &str) -> Listener {
        let mut stream = TcpStream::connect_timeout(&self.address, TIMEOUT).expect("the server answers");
        stream.write_all(self.render("GET", path, None).as_bytes()).expect("the server reads");
        let mut reading = stream.try_clone().expect("a descriptor is free");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        // Ends when the connection does.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reading.read(&mut bytes) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..length]);
            }
        });
        Listener { stream, heard }
    }

    fn render(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let host = self.origin.split("://").nth(1).unwrap_or("localhost");
        let body = body.map(Value::to_string);
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n",
            self.origin
        );
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            text.push_str("Cookie: ");
            text.push_str(&pairs.join("; "));
            text.push_str("\r\n");
        }
        match body {
            Some(body) => {
                let length = body.len().to_string();
                text + "Content-Type: application/json\r\nContent-Length: " + &length + "\r\n\r\n" + &body
            }
            None if method == "GET" => text + "\r\n",
            None => text + "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
        }
    }

    fn keep_cookie(&mut self, header: &str) {
        let pair = header.split(';').next().unwrap_or("");
        if let Some((name, value)) = pair.split_once('=') {
            self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

/// A connection on which the server goes on telling.
#[derive(Debug)]
pub struct Listener {
    stream: TcpStream,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    /// Everything that has come so far, headers included.
    pub fn text(&self) -> String {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard).into_owned()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // An error means that the server has hung up already.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn read_answer(reader: &mut impl BufRead) -> io::Result<Answer> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| bad("no status"))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header =
        |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let mut bytes = Vec::new();
    if header("transfer-encoding") == Some("chunked") {
        read_chunks(reader, &mut bytes)?;
    } else {
        reader.read_to_end(&mut bytes)?;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, headers, body })
}

fn read_chunks(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a chunk without a size"))?;
        reader.take(size).read_to_end(bytes)?;
        line.clear();
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(());
        }
    }
}
