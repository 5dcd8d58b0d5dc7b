//! Until when a certificate is good: the one thing in it that nobody else tells us.
//!
//! X.509 (RFC 5280) in DER: each value is a tag, a length and its bytes. Only the way to the end of the validity is
//! read.

use time::{Date, Month, OffsetDateTime, Time};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of the certificate, which the first version leaves out.
const VERSION: u8 = 0xa0;

/// When a certificate ends; nothing, where it can't be read.
pub fn good_until(der: &[u8]) -> Option<OffsetDateTime> {
    let (certificate, _) = value(der, SEQUENCE)?;
    let (mut fields, _) = value(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = after(fields)?;
    }
    // The serial number, the algorithm, the issuer.
    for _ in 0..3 {
        fields = after(fields)?;
    }
    let (validity, _) = value(fields, SEQUENCE)?;
    read_time(after(validity)?)
}

/// The first value, which must have this tag, and what comes after it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    (*der.first()? == tag).then_some(())?;
    let (length, rest) = length(der.get(1..)?)?;
    rest.split_at_checked(length)
}

/// What comes after the first value, whatever it is.
fn after(der: &[u8]) -> Option<&[u8]> {
    value(der, *der.first()?).map(|(_, rest)| rest)
}

/// A length: one byte, or as many as the first one says.
fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(*first & 0x7f);
    let (bytes, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
    Some((bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest))
}

/// `YYMMDDHHMMSSZ`, which ends in 2049, or with four digits of the year.
fn read_time(der: &[u8]) -> Option<OffsetDateTime> {
    let (text, year_digits) = match *der.first()? {
        UTC_TIME => (value(der, UTC_TIME)?.0, 2),
        GENERALIZED_TIME => (value(der, GENERALIZED_TIME)?.0, 4),
        _ => return None,
    };
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = text.split_at_checked(year_digits)?;
    let year: i32 = year.parse().ok()?;
    let year = match (year_digits, year) {
        (2, ..50) => 2000 + year,
        (2, _) => 1900 + year,
        _ => year,
    };
    let part = |index: usize| rest.get(index * 2..index * 2 + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(1)?).ok()?;
    Some(date.with_time(Time::from_hms(part(2)?, part(3)?, part(4)?).ok()?).assume_utc())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, content.to_vec()].concat()
    }

    fn certificate(version: &[u8], end: &[u8]) -> Vec<u8> {
        let validity = der(SEQUENCE, &[der(UTC_TIME, b"260101000000Z"), end.to_vec()].concat());
        let algorithm = der(SEQUENCE, &[6, 1, 1]);
        let issuer = der(SEQUENCE, &[b'x'; 90]);
        let fields = [version.to_vec(), der(2, &[7]), algorithm, issuer, validity, der(SEQUENCE, &[])].concat();
        der(SEQUENCE, &der(SEQUENCE, &fields))
    }

    #[test]
    fn a_certificate_tells_when_it_ends() {
        let version = der(VERSION, &[2, 1, 2]);
        let short = certificate(&version, &der(UTC_TIME, b"270301123456Z"));
        assert_eq!(good_until(&short), Some(datetime!(2027-03-01 12:34:56 UTC)));
        let long = certificate(&[], &der(GENERALIZED_TIME, b"20510301000000Z"));
        assert_eq!(good_until(&long), Some(datetime!(2051-03-01 00:00 UTC)));
    }

    #[test]
    fn what_is_no_certificate_tells_nothing() {
        let whole = certificate(&[], &der(UTC_TIME, b"270301123456Z"));
        for length in 0..whole.len() - 4 {
            assert_eq!(good_until(&whole[..length]), None, "{length}");
        }
        let wrong = certificate(&[], &der(UTC_TIME, b"271301123456Z"));
        assert_eq!(good_until(&wrong), None);
        assert_eq!(good_until(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
