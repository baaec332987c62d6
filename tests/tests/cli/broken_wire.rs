//! A wire to a registry that breaks, or on which something else arrives.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Break {
    /// After this many bytes from the client every connection ends, and no other is taken.
    AfterSent(usize),
    /// After this many bytes from the registry every connection ends, and no other is taken.
    AfterReceived(usize),
    /// Requests whose line has `path` in it are answered so, the first `times` of them.
    Answer {
        /// Part of the request's line.
        path: &'static str,
        /// The whole answer.
        answer: Vec<u8>,
        /// How often.
        times: usize,
    },
}

/// An answer with a status alone.
pub fn status(code: u16) -> Vec<u8> {
    format!("HTTP/1.1 {code} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

/// An answer with a body, of which a part may be missing.
pub fn body(stated_bytes: usize, bytes: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {stated_bytes}\r\nConnection: close\r\n\r\n")
            .into_bytes();
    answer.extend(bytes);
    answer
}

/// A wire to a registry.
pub struct BrokenWire {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    registry: String,
    fault: Break,
    is_over: AtomicBool,
    sent: AtomicUsize,
    received: AtomicUsize,
    answered: AtomicUsize,
}

impl BrokenWire {
    /// A wire to `registry`, a host and port.
    pub fn to(registry: String, fault: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has ports");
        let address = listener.local_addr().expect("it is bound");
        let zero = AtomicUsize::default;
        let state = Arc::new(State {
            registry,
            fault,
            is_over: AtomicBool::new(false),
            sent: zero(),
            received: zero(),
            answered: zero(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), shared) = (client, shared.clone()) else { continue };
                thread::spawn(move || shared.connect(client));
            }
        });
        Self { address, state }
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Whether what was to go wrong did.
    pub fn has_broken(&self) -> bool {
        self.state.is_over.load(Ordering::Relaxed) || self.state.answered.load(Ordering::Relaxed) > 0
    }

    /// How many requests were answered in the registry's place.
    pub fn answered(&self) -> usize {
        self.state.answered.load(Ordering::Relaxed)
    }
}

impl Drop for BrokenWire {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        // The listener looks when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn connect(self: Arc<Self>, client: TcpStream) {
        let Ok(registry) = TcpStream::connect(&self.registry) else { return };
        for stream in [&client, &registry] {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        }
        let (from, to) = (registry.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
        let back = self.clone();
        thread::spawn(move || back.carry(from, to, Direction::Received));
        self.carry(client, registry, Direction::Sent);
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, direction: Direction) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let piece = &buffer[..count];
            if direction == Direction::Sent && self.answers(piece, &mut from) {
                break;
            }
            let (counter, limit) = match (direction, &self.fault) {
                (Direction::Sent, Break::AfterSent(limit)) => (&self.sent, *limit),
                (Direction::Received, Break::AfterReceived(limit)) => (&self.received, *limit),
                (Direction::Sent, _) => (&self.sent, usize::MAX),
                (Direction::Received, _) => (&self.received, usize::MAX),
            };
            let total = counter.fetch_add(count, Ordering::Relaxed) + count;
            if total > limit || self.is_over.load(Ordering::Relaxed) {
                self.is_over.store(true, Ordering::Relaxed);
                let _ = to.write_all(&piece[..count / 2]);
                break;
            }
            if to.write_all(piece).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Answers a request in the registry's place, where that is the fault.
    fn answers(&self, request: &[u8], client: &mut TcpStream) -> bool {
        let Break::Answer { path, answer, times } = &self.fault else { return false };
        let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let is_meant = line.ends_with("HTTP/1.1") && line.contains(path);
        if !is_meant || self.answered.fetch_add(1, Ordering::Relaxed) >= *times {
            return false;
        }
        let _ = client.write_all(answer);
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sent,
    Received,
}
