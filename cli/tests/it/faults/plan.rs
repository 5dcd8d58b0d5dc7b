//! What is done to which of the requests that pass a proxy.

use std::collections::{BTreeMap, BTreeSet};

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its connection is reset, and each further one refused until the network is healed.
    Refuse,
    /// Its connection is reset, and so are the next ones that come; then the network heals by itself.
    Outage,
    /// It is read and its connection reset. The server never sees it.
    Reset,
    /// The server gets half of it.
    CutRequest,
    /// The server answers, and the answer is lost.
    LoseAnswer,
    /// The answer breaks off in its first line.
    CutHead,
    /// The answer breaks off in its body.
    CutBody,
    /// Half of the answer comes.
    CutAnswer,
    /// Nothing comes back, and after a while the connection ends.
    Silence,
    /// The answer is late.
    Slow,
    /// It goes to the server a byte at a time, and so does the answer to the client.
    Drip,
    /// The server gets it twice, one after the other.
    Twice,
    /// The server gets it twice at the same time.
    TwiceAtOnce,
    /// The client sees a connection that breaks; the server gets it when the proxy is told so.
    Late,
    /// The server does not see it, and this is the answer.
    Answer(&'static str),
    /// It waits until the network is healed, and is lost. The server has not seen it.
    HoldRequest,
    /// The server has answered; the answer waits until the network is healed, and is lost.
    HoldAnswer,
}

/// Which of the calls of one name, as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    First,
    Second,
    EveryThird,
    /// The first, the third, and so on.
    EveryOther,
    Every,
    /// This one, and all that follow it. The first is 1.
    From(usize),
}

/// What is broken.
pub struct Plan {
    which: Which,
    fault: Fault,
    /// How many calls of each name have come.
    come: BTreeMap<String, usize>,
}

enum Which {
    None,
    Of(String, Nth),
    Each(Nth, BTreeSet<String>),
}

impl Nth {
    fn is(self, number: usize) -> bool {
        match self {
            Self::First => number == 1,
            Self::Second => number == 2,
            Self::EveryThird => number.is_multiple_of(3),
            Self::EveryOther => !number.is_multiple_of(2),
            Self::Every => true,
            Self::From(first) => number >= first,
        }
    }
}

impl Plan {
    /// Nothing is.
    pub fn nothing() -> Self {
        Self::of(Which::None, Fault::Reset)
    }

    /// These of the calls of this name.
    pub fn some(call: &str, nth: Nth, fault: Fault) -> Self {
        Self::of(Which::Of(call.to_owned(), nth), fault)
    }

    /// These of the calls of every name but some.
    pub fn each(nth: Nth, fault: Fault, but: &[&str]) -> Self {
        let but = but.iter().map(|call| (*call).to_owned()).collect();
        Self::of(Which::Each(nth, but), fault)
    }

    fn of(which: Which, fault: Fault) -> Self {
        Self { which, fault, come: BTreeMap::new() }
    }

    /// What is done to this call, which has come.
    pub fn meet(&mut self, call: &str) -> Option<Fault> {
        let number = self.come.entry(call.to_owned()).or_default();
        *number += 1;
        let is_meant = match &self.which {
            Which::None => false,
            Which::Of(wanted, nth) => wanted == call && nth.is(*number),
            Which::Each(nth, but) => !but.contains(call) && nth.is(*number),
        };
        is_meant.then_some(self.fault)
    }

    /// The call has not been broken after all: the next one takes its place.
    pub fn forget(&mut self, call: &str) {
        if let Some(number) = self.come.get_mut(call) {
            *number = number.saturating_sub(1);
        }
    }
}
