//! What proxies write into headers, what strangers do, and which address counts.

use proptest::prelude::*;

use super::*;

const NEAREST: &str = "10.0.0.1";

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "127.0.0.0/8", "::1/128", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn seen(peer: &str, lines: &[&str]) -> String {
    client_address(address(peer), lines.iter().copied(), &trusted()).to_string()
}

/// The lines of the header that a trusted proxy, 10.0.0.1, passed on, and the address that counts.
#[rustfmt::skip]
const HEADERS: [(&[&str], &str); 68] = [
    // What a proxy writes.
    (&[], NEAREST),
    (&["192.0.2.7"], "192.0.2.7"),
    (&["2001:db8::7"], "2001:db8::7"),
    (&["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
    (&["192.0.2.7, 10.0.0.3, 10.0.0.2"], "192.0.2.7"),
    (&["192.0.2.7, fd00::2"], "192.0.2.7"),
    (&["192.0.2.7, ::1"], "192.0.2.7"),
    (&["192.0.2.7,10.0.0.2"], "192.0.2.7"),
    (&["10.0.0.2"], "10.0.0.2"),
    (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    (&["127.0.0.1"], "127.0.0.1"),
    // What a stranger writes before it: only what the proxy added counts.
    (&["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
    (&["10.0.0.9, 192.0.2.7"], "192.0.2.7"),
    (&["127.0.0.1, 192.0.2.7"], "192.0.2.7"),
    (&["198.51.100.1, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
    (&["198.51.100.1, 10.0.0.9, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
    (&["unknown, 192.0.2.7"], "192.0.2.7"),
    (&["', DROP TABLE accounts --, 192.0.2.7"], "192.0.2.7"),
    (&["<script>, 192.0.2.7"], "192.0.2.7"),
    (&[", 192.0.2.7"], "192.0.2.7"),
    (&[",,,, 192.0.2.7"], "192.0.2.7"),
    // Several lines are one list.
    (&["192.0.2.7", "10.0.0.2"], "192.0.2.7"),
    (&["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
    (&["198.51.100.1, 198.51.100.2", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
    (&["192.0.2.7", "10.0.0.3", "10.0.0.2"], "192.0.2.7"),
    (&["192.0.2.7", "10.0.0.3, 10.0.0.2"], "192.0.2.7"),
    (&["10.0.0.3", "10.0.0.2"], "10.0.0.3"),
    (&["192.0.2.7", ""], NEAREST),
    (&["", "192.0.2.7"], "192.0.2.7"),
    (&["192.0.2.7", "unknown"], NEAREST),
    (&["192.0.2.7", "unknown, 10.0.0.2"], "10.0.0.2"),
    // Ports and brackets.
    (&["192.0.2.7:49152"], "192.0.2.7"),
    (&["192.0.2.7:0"], "192.0.2.7"),
    (&["[2001:db8::7]"], "2001:db8::7"),
    (&["[2001:db8::7]:443"], "2001:db8::7"),
    (&["192.0.2.7, [::1]:5"], "192.0.2.7"),
    (&["192.0.2.7, 10.0.0.2:80"], "192.0.2.7"),
    (&["[::1]:5"], "::1"),
    (&["192.0.2.7:"], NEAREST),
    (&["192.0.2.7:65536"], NEAREST),
    (&["192.0.2.7:http"], NEAREST),
    (&["192.0.2.7:80:80"], NEAREST),
    (&["[192.0.2.7]"], NEAREST),
    (&["[192.0.2.7]:80"], NEAREST),
    (&["[2001:db8::7"], NEAREST),
    (&["2001:db8::7]"], NEAREST),
    (&["[2001:db8::7]443"], NEAREST),
    (&["[]"], NEAREST),
    // IPv4 written as IPv6.
    (&["::ffff:192.0.2.7"], "192.0.2.7"),
    (&["[::ffff:192.0.2.7]:80"], "192.0.2.7"),
    (&["192.0.2.7, ::ffff:10.0.0.2"], "192.0.2.7"),
    (&["::ffff:c000:207"], "192.0.2.7"),
    (&["2001:DB8:0:0:0:0:0:7"], "2001:db8::7"),
    // Spaces.
    (&["  192.0.2.7  "], "192.0.2.7"),
    (&["\t192.0.2.7\t,\t10.0.0.2\t"], "192.0.2.7"),
    (&["192.0.2.7 10.0.0.2"], NEAREST),
    // What can't be read ends the walk at the last that could.
    (&[""], NEAREST),
    (&[" "], NEAREST),
    (&[","], NEAREST),
    (&["unknown"], NEAREST),
    (&["_hidden"], NEAREST),
    (&["192.0.2.7, unknown"], NEAREST),
    (&["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2"),
    (&["192.0.2.7,, 10.0.0.2"], "10.0.0.2"),
    (&["\"192.0.2.7\""], NEAREST),
    (&["for=192.0.2.7"], NEAREST),
    (&["192.0.2.256"], NEAREST),
    (&["192.0.02.7, 3221225991"], NEAREST),
];

#[test]
fn the_right_most_address_that_is_no_proxy_counts() {
    for (lines, expected) in HEADERS {
        assert_eq!(seen(NEAREST, lines), expected, "{lines:?}");
    }
}

#[test]
fn without_a_trusted_proxy_no_header_counts() {
    for (lines, _) in HEADERS {
        assert_eq!(seen("203.0.113.5", lines), "203.0.113.5", "{lines:?}");
        let nobody = client_address(address(NEAREST), lines.iter().copied(), &[]);
        assert_eq!(nobody.to_string(), NEAREST, "{lines:?}");
    }
}

#[test]
fn the_connection_itself_may_be_written_as_ipv6() {
    assert_eq!(seen("::ffff:203.0.113.5", &["192.0.2.7"]), "203.0.113.5");
    assert_eq!(seen("::ffff:10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
    assert_eq!(seen("fd00::1", &["192.0.2.7"]), "192.0.2.7");
}

#[test]
fn a_hundred_proxies_are_walked_through() {
    let proxies = vec!["10.0.0.2"; 100].join(", ");
    assert_eq!(seen(NEAREST, &[&format!("198.51.100.1, 192.0.2.7, {proxies}")]), "192.0.2.7");
    let lines = [&["198.51.100.1", "192.0.2.7"][..], &["10.0.0.2"; 98]].concat();
    assert_eq!(seen(NEAREST, &lines), "192.0.2.7");
}

#[test]
fn limits_count_one_ipv4_address_or_64_bits_of_ipv6() {
    let subject = |text: &str| Client { address: Some(address(text)), ..Client::default() }.limit_subject();
    assert_eq!(subject("192.0.2.7"), "192.0.2.7");
    assert_eq!(subject("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(subject("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_eq!(subject("2001:db8:1:2:ffff::"), subject("2001:db8:1:2::1"));
    assert_ne!(subject("2001:db8:1:2::1"), subject("2001:db8:1:3::1"));
    assert_eq!(Client::default().limit_subject(), "unknown");
}

#[test]
fn only_who_did_not_come_through_a_proxy_is_at_this_machine() {
    let client = |text: &str, is_forwarded| Client { address: Some(address(text)), user_agent: None, is_forwarded };
    assert!(client("127.0.0.1", false).is_this_machine() && client("::1", false).is_this_machine());
    assert!(client("::ffff:127.0.0.1", false).is_this_machine() && Client::default().is_this_machine());
    assert!(!client("127.0.0.1", true).is_this_machine() && !client("192.0.2.7", false).is_this_machine());
}

/// What one place of the list holds, and how it is written there.
#[derive(Clone, Debug)]
enum Hop {
    Proxy(IpAddr, String),
    Stranger(IpAddr, String),
    Junk(String),
}

impl Hop {
    fn text(&self) -> &str {
        match self {
            Self::Proxy(_, text) | Self::Stranger(_, text) | Self::Junk(text) => text,
        }
    }
}

fn written(address: IpAddr, way: u8) -> String {
    match (address, way) {
        (IpAddr::V4(v4), 0) => format!("{v4}:8080"),
        (IpAddr::V4(v4), 1) => v4.to_ipv6_mapped().to_string(),
        (IpAddr::V4(v4), 2) => format!(" [{}]:1 ", v4.to_ipv6_mapped()),
        (IpAddr::V6(v6), 0) => format!("[{v6}]"),
        (IpAddr::V6(v6), 1) => format!("[{v6}]:65535"),
        (address, 3) => format!("\t{address} "),
        (address, _) => address.to_string(),
    }
}

const JUNK: [&str; 10] = ["", " ", "unknown", "_x", "192.0.2.7:", "1.2.3", "[::1", "1.2.3.4.5", "é", "\"::1\""];

fn hop(seed: u32) -> Hop {
    let [kind, a, b, c] = seed.to_le_bytes();
    let [v4_proxy, v4_stranger] = [10, 192].map(|first| IpAddr::from([first, a, b, c]));
    let [v6_proxy, v6_stranger] =
        [0xfd12, 0x2001].map(|first| IpAddr::from([first, 0, u16::from(a), u16::from(b), 0, 0, 0, u16::from(c)]));
    let (proxy, stranger) = if c % 2 == 0 { (v4_proxy, v4_stranger) } else { (v6_proxy, v6_stranger) };
    let way = kind / 7 % 6;
    match kind % 7 {
        0..=3 => Hop::Proxy(proxy, written(proxy, way)),
        4 | 5 => Hop::Stranger(stranger, written(stranger, way)),
        _ => Hop::Junk(JUNK[usize::from(a) % JUNK.len()].to_owned()),
    }
}

/// What counts: the first hop of the longest tail of proxies, or what stands before that tail.
fn oracle(peer: IpAddr, hops: &[Hop]) -> IpAddr {
    let tail = hops.iter().rev().take_while(|hop| matches!(hop, Hop::Proxy(..))).count();
    let start = hops.len() - tail;
    match (hops[..start].last(), hops.get(start)) {
        (Some(Hop::Stranger(address, _)), _) | (_, Some(Hop::Proxy(address, _))) => *address,
        _ => peer,
    }
}

proptest! {
    // A hundred headers a case: 100,000 in all.
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_header_is_read_as_the_oracle_reads_it(
        // Each hop, and whether a line ends after it.
        headers in prop::collection::vec(prop::collection::vec(any::<(u32, bool)>(), 0..8), 100)
    ) {
        let peer = address(NEAREST);
        let trusted = trusted();
        for header in headers {
            let hops: Vec<Hop> = header.iter().map(|(seed, _)| hop(*seed)).collect();
            let mut lines = vec![Vec::new()];
            for (hop, (_, ends_line)) in hops.iter().zip(&header) {
                lines.last_mut().unwrap().push(hop.text());
                if *ends_line {
                    lines.push(Vec::new());
                }
            }
            let lines: Vec<String> =
                lines.into_iter().filter(|line| !line.is_empty()).map(|line| line.join(",")).collect();
            let read = client_address(peer, lines.iter().map(String::as_str), &trusted);
            prop_assert_eq!(read, oracle(peer, &hops), "{:?}", lines);
        }
    }
}
