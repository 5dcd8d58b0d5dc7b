//! The pages of those who run the server: what it keeps, how people get in, accounts, projects.
//! To all others they are not there. What was done to the server is in `web::audit`.

pub mod accounts;
pub mod overview;
pub mod projects;

use serde::Deserialize;
use url::form_urlencoded;

use crate::domain::text::without_nul;
use crate::services::admin::PAGE;

/// `?after=`: the last row of the page before.
#[derive(Default, Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

impl After {
    fn text(&self) -> String {
        without_nul(&self.after)
    }
}

/// The pages before and behind one of a list that is sorted by name.
struct Pager {
    first: Option<String>,
    next: Option<String>,
}

impl Pager {
    /// `last`: the name in the last of `count` rows.
    fn new(url: &str, after: &str, count: usize, last: Option<&str>) -> Self {
        let is_full = i64::try_from(count).is_ok_and(|count| count == PAGE);
        let next = last.filter(|_| is_full).map(|last| {
            let last: String = form_urlencoded::byte_serialize(last.as_bytes()).collect();
            format!("{url}?after={last}")
        });
        Self { first: (!after.is_empty()).then(|| url.to_owned()), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_page_has_another_behind_it() {
        let full = usize::try_from(PAGE).unwrap();
        let pager = Pager::new("/admin/accounts", "", full, Some("ada+x@example.org"));
        assert_eq!((pager.first, pager.next.as_deref()), (None, Some("/admin/accounts?after=ada%2Bx%40example.org")));
        let last = Pager::new("/admin/accounts", "ada@example.org", full - 1, Some("zoe@example.org"));
        assert_eq!((last.first.as_deref(), last.next), (Some("/admin/accounts"), None));
    }
}
