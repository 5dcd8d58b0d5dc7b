//! What a token says, and when it holds. Pure.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How far the clocks of servers that run as one may be apart.
const LEEWAY_SECONDS: i64 = 5;

/// What a token is for. One made for one use is worth nothing in another.
#[derive(Debug)]
pub struct Purpose {
    /// The header's `typ`.
    pub typ: &'static str,
    /// The claim `aud`.
    pub audience: &'static str,
    /// How long a token holds.
    pub lifetime: Duration,
}

impl Purpose {
    /// Appending to one run, while its job lasts.
    pub const RUN: Self = Self { typ: "run+jwt", audience: "otrace-run", lifetime: Duration::days(30) };
    /// Reading one artifact.
    pub const DOWNLOAD: Self =
        Self { typ: "download+jwt", audience: "otrace-download", lifetime: Duration::minutes(5) };
    /// Reading the pages of one project.
    pub const PAGES: Self = Self { typ: "pages+jwt", audience: "otrace-pages", lifetime: Duration::minutes(15) };
    /// Being a browser that an account has signed in with before.
    pub const BROWSER: Self = Self { typ: "browser+jwt", audience: "otrace-browser", lifetime: Duration::days(180) };
}

/// What a token says: about whom or what, and what that opens. Every part is required, and more is refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims<S, G> {
    iss: String,
    aud: String,
    /// What the token is about.
    pub sub: S,
    /// What it opens.
    pub grant: G,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl<S, G> Claims<S, G> {
    /// For a token that is made now.
    pub fn new(issuer: &str, purpose: &Purpose, sub: S, grant: G, now: OffsetDateTime) -> Self {
        let iat = now.unix_timestamp();
        let exp = iat + purpose.lifetime.whole_seconds();
        Self { iss: issuer.to_owned(), aud: purpose.audience.to_owned(), sub, grant, iat, nbf: iat, exp }
    }

    /// Whether they hold now, and no longer than this use lets them.
    pub fn hold(&self, purpose: &Purpose, now: OffsetDateTime) -> bool {
        let now = now.unix_timestamp();
        let has_begun = self.iat.max(self.nbf) <= now.saturating_add(LEEWAY_SECONDS);
        let has_ended = now >= self.exp.saturating_add(LEEWAY_SECONDS);
        let lasts = self.exp.saturating_sub(self.iat);
        has_begun && !has_ended && lasts <= purpose.lifetime.whole_seconds()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn made_now(purpose: &Purpose) -> Claims<(), ()> {
        Claims::new("https://trace.example.org", purpose, (), (), NOW)
    }

    #[test]
    fn claims_hold_from_their_beginning_to_their_end_and_five_seconds_around() {
        for purpose in [Purpose::RUN, Purpose::DOWNLOAD, Purpose::PAGES, Purpose::BROWSER] {
            let claims = made_now(&purpose);
            for (after, holds) in [
                (Duration::seconds(-6), false),
                (Duration::seconds(-5), true),
                (Duration::ZERO, true),
                (purpose.lifetime, true),
                (purpose.lifetime + Duration::seconds(4), true),
                (purpose.lifetime + Duration::seconds(5), false),
                (purpose.lifetime + Duration::seconds(6), false),
            ] {
                assert_eq!(claims.hold(&purpose, NOW + after), holds, "{purpose:?} {after}");
            }
        }
    }

    #[test]
    fn claims_that_would_last_longer_than_their_use_do_not_hold() {
        let mut claims = made_now(&Purpose::DOWNLOAD);
        claims.exp += 1;
        assert!(!claims.hold(&Purpose::DOWNLOAD, NOW));
    }

    #[test]
    fn times_at_the_ends_of_the_numbers_do_not_hold() {
        for times in [[0, 0, i64::MAX], [i64::MIN, i64::MIN, i64::MAX], [i64::MAX; 3], [i64::MIN; 3]] {
            let [iat, nbf, exp] = times;
            let claims = Claims { iat, nbf, exp, ..made_now(&Purpose::RUN) };
            assert!(!claims.hold(&Purpose::RUN, NOW), "{times:?}");
        }
    }
}
