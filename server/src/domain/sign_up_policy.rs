//! How people get an account on this server.

use super::text::Invalid;

/// How people get an account on this server. Whoever runs it chooses; an account that is there is not touched by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignUpPolicy {
    /// Anyone who reaches the page.
    Open,
    /// Whoever was invited.
    Invitation,
    /// Whoever was invited, and whoever proves an address at one of these domains.
    Domains(Vec<String>),
    /// Nobody.
    Off,
}

impl SignUpPolicy {
    /// The policy as it is written in the database and in forms.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invitation => "invitation",
            Self::Domains(_) => "domains",
            Self::Off => "off",
        }
    }

    /// The policy of this name; `domains` only counts for that one.
    pub fn named(name: &str, domains: Vec<String>) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "invitation" => Some(Self::Invitation),
            "domains" => Some(Self::Domains(domains)),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// Whether somebody may sign up who has proved this address to be theirs, and was not invited.
    pub fn admits(&self, proved_email: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Domains(domains) => {
                let domain = proved_email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
                domain.is_some_and(|domain| domains.contains(&domain))
            }
            Self::Invitation | Self::Off => false,
        }
    }

    /// Whether an invitation brings an account along.
    pub const fn admits_invited(&self) -> bool {
        !matches!(self, Self::Off)
    }
}

/// Domains of addresses as a person types them: separated by commas, spaces or lines, perhaps with an `@`.
pub fn parse_domains(text: &str) -> Result<Vec<String>, Invalid> {
    let mut domains = Vec::new();
    for word in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
        let domain = word.trim_start_matches('@').to_lowercase();
        let labels = || domain.split('.');
        let is_domain = domain.len() <= 253
            && labels().count() > 1
            && labels().all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
        if !is_domain {
            return Err(Invalid("Write domains such as example.org, separated by commas."));
        }
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    match domains.len() {
        0 => Err(Invalid("Name at least one domain, such as example.org.")),
        1..=100 => Ok(domains),
        _ => Err(Invalid("Name at most 100 domains.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_at_the_very_domain_is_admitted() {
        let policy = SignUpPolicy::Domains(vec!["example.org".to_owned()]);
        assert!(policy.admits("ada@example.org") && policy.admits("ada@EXAMPLE.org"));
        for email in
            ["ada@evil-example.org", "ada@sub.example.org", "ada@example.org.evil", "example.org", "a@example.com"]
        {
            assert!(!policy.admits(email), "{email}");
        }
    }

    #[test]
    fn who_was_not_invited_needs_an_open_door() {
        assert!(SignUpPolicy::Open.admits("anyone@anywhere.net"));
        assert!(!SignUpPolicy::Invitation.admits("anyone@anywhere.net"));
        assert!(!SignUpPolicy::Off.admits("anyone@anywhere.net") && !SignUpPolicy::Off.admits_invited());
    }

    #[test]
    fn domains_are_read_as_people_write_them() {
        assert_eq!(
            parse_domains(" @Example.org, lab.example.com\n example.org").unwrap(),
            ["example.org", "lab.example.com"]
        );
        for text in ["", " , ", "example", "a@b.org", "*.example.org", "example..org"] {
            assert!(parse_domains(text).is_err(), "{text:?}");
        }
    }
}
