//! Sessions on loan: what one thread allocates and another frees costs both of them a lock.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use rdpwhy_analyzer::session::Session;

/// A session that ended, lent by the thread on which it grew. It is not taken apart where it is dropped, but on that
/// thread, when that lends the next ones.
pub struct Lent {
    /// There until it is dropped.
    session: Option<Box<Session>>,
    home: Arc<Home>,
}

/// Sessions that came back to a thread.
type Home = Mutex<Vec<Box<Session>>>;

/// Sessions that may wait at home; more are taken apart where they are.
const MOST: usize = 128;
/// And bytes of each: what is larger is no burden to a lock, but it would be to memory.
const LARGEST: usize = 16 << 10;

thread_local! {
    static HOME: Arc<Home> = Arc::default();
}

impl Lent {
    /// Lends a session of this thread, and takes two apart that came back: more would hold up those that run.
    pub fn new(session: Box<Session>) -> Lent {
        let home = HOME.with(Arc::clone);
        drop(came_back(&home));
        Lent { session: Some(session), home }
    }
}

impl Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        let Some(session) = &self.session else { unreachable!("it is taken when it is dropped") };
        session
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.memory() > LARGEST {
            return;
        }
        let mut back = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        if back.len() < MOST {
            back.extend(self.session.take());
        }
    }
}

fn came_back(home: &Home) -> [Option<Box<Session>>; 2] {
    let mut back = home.lock().unwrap_or_else(PoisonError::into_inner);
    [back.pop(), back.pop()]
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rdpwhy_analyzer::facts::{Subject, Vantage};
    use rdpwhy_analyzer::input::{Direction, Input, Origin, Timestamp};

    use super::*;

    fn session() -> Box<Session> {
        let client = "192.0.2.7:50000".parse().unwrap();
        let server = "192.0.2.9:3389".parse().ok();
        Box::new(Session::new(Subject {
            client,
            server,
            server_name: None,
            relay: [None, None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started: Timestamp(0),
        }))
    }

    fn waiting() -> usize {
        HOME.with(|home| home.lock().unwrap().len())
    }

    #[test]
    fn a_session_goes_back_to_the_thread_that_lent_it_and_no_more_than_some_wait_there() {
        let lent: Vec<Lent> = (0..MOST + 9).map(|_| Lent::new(session())).collect();
        assert_eq!(waiting(), 0);
        thread::spawn(move || {
            assert_eq!(lent[0].facts().subject.client.port(), 50000);
            drop(lent);
            assert_eq!(waiting(), 0, "here is not where they came from");
        })
        .join()
        .unwrap();
        assert_eq!(waiting(), MOST);
        let next = Lent::new(session());
        assert_eq!(waiting(), MOST - 2);
        drop(next);
        assert_eq!(waiting(), MOST - 1);
    }

    #[test]
    fn a_large_one_does_not_wait() {
        let mut large = session();
        // A ClientHello that does not come to its end.
        let hello = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0x7f, 0xff, 3, 3][..], &[0; 16_379]].concat();
        for bytes in [&hello[..], &[0x16, 3, 1, 0x40, 0], &[0; 16_000]] {
            let input = Input::Data { dir: Direction::ToServer, bytes };
            large.feed(Timestamp(1), Origin::Read(1), input);
        }
        assert!(large.memory() > LARGEST, "{}", large.memory());
        drop(Lent::new(large));
        assert_eq!(waiting(), 0);
    }
}
