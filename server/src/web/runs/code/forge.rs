//! Where a commit can be read on GitHub or GitLab. Pure: a remote is what a client told, and only an address that is
//! made of plain words becomes a link.

/// The page of a commit; `None` where the remote is none that we know.
pub fn commit_url(remote: Option<&str>, commit: Option<&str>) -> Option<String> {
    let commit = commit
        .filter(|commit| (7..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let (host, path) = host_and_path(remote?.trim())?;
    let path = path.trim_matches('/').trim_end_matches(".git");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let is_plain_path = path.split('/').count() >= 2
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.chars().all(is_plain));
    let is_plain_host = host.split('.').count() >= 2
        && host.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    if !is_plain_path || !is_plain_host {
        return None;
    }
    match host.split('.').next()? {
        "github" => Some(format!("https://{host}/{path}/commit/{commit}")),
        "gitlab" => Some(format!("https://{host}/{path}/-/commit/{commit}")),
        _ => None,
    }
}

/// Of `https://host/path`, `ssh://git@host:22/path` and `git@host:path`.
fn host_and_path(remote: &str) -> Option<(&str, &str)> {
    let (authority, path) = match remote.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => remote.split_once(':')?,
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _port)| host);
    Some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521";

    #[test]
    fn a_commit_is_found_where_its_remote_is_a_known_forge() {
        let url = |remote| commit_url(Some(remote), Some(COMMIT));
        let github = format!("https://github.com/halden/kws-edge/commit/{COMMIT}");
        for remote in [
            "https://github.com/halden/kws-edge.git",
            "https://github.com/halden/kws-edge/",
            "https://mira:secret@github.com/halden/kws-edge",
            "git@github.com:halden/kws-edge.git",
            "ssh://git@github.com:22/halden/kws-edge.git",
        ] {
            assert_eq!(url(remote).unwrap(), github, "{remote}");
        }
        let gitlab = format!("https://gitlab.halden.example/audio/models/kws/-/commit/{COMMIT}");
        assert_eq!(url("git@gitlab.halden.example:audio/models/kws.git").unwrap(), gitlab);
    }

    #[test]
    fn nothing_else_becomes_a_link() {
        for remote in [
            "git@git.example:audio/kws.git",
            "/srv/git/kws.git",
            "file:///srv/github.com/a/b",
            "javascript://github.com/a/b",
            "https://github.com/\"><script>/b",
            "https://github.com/a/../b",
            "https://github.com/only-one",
            "https://github.com.evil/..//a",
            "https://github/a/b",
            "",
        ] {
            assert_eq!(commit_url(Some(remote), Some(COMMIT)), None, "{remote}");
        }
        for commit in ["", "main", "9f3c2e", "9f3c2e1\"onclick"] {
            assert_eq!(commit_url(Some("https://github.com/a/b"), Some(commit)), None, "{commit}");
        }
        assert_eq!(commit_url(None, Some(COMMIT)), None);
    }
}
