//! The requests that the server works on, which must not become ever more.
//!
//! A request that waits for a database connection costs memory, and waits the longer the more wait before it. From
//! some number on, it is kinder to say at once that the server is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// The server works on it, or it waits for a part of the server.
const WORKING: u8 = 0;
/// It waits for its client to send the rest.
const WAITING: u8 = 1;
/// It does not count any more, or never did.
const DONE: u8 = 2;

/// The requests that the server works on. Those that wait for their clients do not count: otherwise slow uploads
/// would keep everybody else out.
#[derive(Debug)]
pub(super) struct Crowd {
    max: usize,
    working: Arc<AtomicUsize>,
}

/// One of them, until it is dropped or done.
#[derive(Debug)]
pub(super) struct Turn(Arc<Request>);

/// The same, for the body to tell when it waits for the client.
#[derive(Clone, Debug)]
pub(super) struct Waiter(Arc<Request>);

#[derive(Debug)]
struct Request {
    working: Arc<AtomicUsize>,
    state: AtomicU8,
}

impl Crowd {
    pub(super) fn new(max: usize) -> Self {
        Self { max, working: Arc::default() }
    }

    /// Lets a request in, unless there are too many.
    pub(super) fn enter(&self) -> Option<Turn> {
        if self.working.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.working.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(self.turn(WORKING))
    }

    /// Lets a request in even so: one that asks how the server is. It does not count, so that such requests keep
    /// nobody out.
    pub(super) fn enter_always(&self) -> Turn {
        self.turn(DONE)
    }

    fn turn(&self, state: u8) -> Turn {
        Turn(Arc::new(Request { working: Arc::clone(&self.working), state: AtomicU8::new(state) }))
    }
}

impl Turn {
    pub(super) fn waiter(&self) -> Waiter {
        Waiter(Arc::clone(&self.0))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0.state.swap(DONE, Ordering::Relaxed) == WORKING {
            self.0.working.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Waiter {
    /// The client has to send more.
    pub(super) fn waits_for_client(&self) {
        if self.0.moves(WORKING, WAITING) {
            self.0.working.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// It has sent some.
    pub(super) fn goes_on(&self) {
        if self.0.moves(WAITING, WORKING) {
            self.0.working.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Request {
    fn moves(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_the_server_works_on_count() {
        let crowd = Crowd::new(2);
        let about_health = crowd.enter_always();
        let (first, second) = (crowd.enter().unwrap(), crowd.enter().unwrap());
        assert!(crowd.enter().is_none());
        about_health.waiter().waits_for_client();
        drop(about_health);
        assert!(crowd.enter().is_none());

        let waiter = second.waiter();
        waiter.waits_for_client();
        waiter.waits_for_client();
        let third = crowd.enter().unwrap();
        assert!(crowd.enter().is_none());
        // What has come may be worked on, though there are more then than may be.
        waiter.goes_on();
        drop(third);
        assert!(crowd.enter().is_none());

        drop((first, second));
        // A body may outlive its request.
        waiter.waits_for_client();
        waiter.goes_on();
        assert_eq!(crowd.working.load(Ordering::Relaxed), 0);
    }
}
