//! How many pages are open: each costs the server a connection and some memory for as long as it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::gauge;

use crate::domain::AccountId;
use crate::telemetry::metrics::Held;

/// The open pages of a server. Its clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    by_account: HashMap<AccountId, u32>,
}

/// An open page's place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    account: AccountId,
    _counted: Held,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The account has as many as it may.
    Account,
    /// The server has as many as it may.
    Server,
}

impl Places {
    /// A place for a page of this account, if it and the server have fewer than they may.
    pub fn take(&self, account: AccountId, each_max: u32, all_max: u32) -> Result<Place, Full> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= all_max {
            return Err(Full::Server);
        }
        let own = taken.by_account.get(&account).copied().unwrap_or_default();
        if own >= each_max {
            return Err(Full::Account);
        }
        taken.all += 1;
        taken.by_account.insert(account, own + 1);
        drop(taken);
        let counted = Held::in_gauge(gauge!("otrace_live_streams_open"));
        Ok(Place { places: self.clone(), account, _counted: counted })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let own = taken.by_account.get(&self.account).copied().unwrap_or_default();
        // Who has none left is forgotten.
        if own > 1 {
            taken.by_account.insert(self.account, own - 1);
        } else {
            taken.by_account.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_and_the_server_have_so_many_places_and_get_them_back() {
        let places = Places::default();
        let [ada, ben, eve] = [(); 3].map(|()| AccountId::new());
        let first = places.take(ada, 2, 3).unwrap();
        let second = places.take(ada, 2, 3).unwrap();
        assert_eq!(places.take(ada, 2, 3).unwrap_err(), Full::Account);
        let _third = places.take(ben, 2, 3).unwrap();
        assert_eq!(places.take(eve, 2, 3).unwrap_err(), Full::Server);
        drop(first);
        drop(places.take(eve, 2, 3).unwrap());
        drop(second);
        assert_eq!(places.0.lock().unwrap().by_account.len(), 1, "who has none left is forgotten");
        assert_eq!(places.0.lock().unwrap().all, 1);
    }
}
