//! Which names are written below a destination. They come from a server, which may be anybody's.

/// More than any file system takes.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4096;
/// What git, or `otrace`, would take at its word.
const RESERVED: [&str; 4] = [".git", "git~1", ".trace", super::destination::MARKER];

/// The folders that a name leads through, and the file at its end; or else a clause that says why it is not used.
pub fn parts(name: &str) -> Result<Vec<&str>, &'static str> {
    if name.is_empty() || name.contains('\0') {
        return Err("its name is none");
    }
    if name.len() > PATH_MAX {
        return Err("its name is too long");
    }
    if name.starts_with('/') {
        return Err("its name leads out of the checkout");
    }
    let parts: Vec<_> = name.split('/').collect();
    for part in &parts {
        match *part {
            ".." => return Err("its name leads out of the checkout"),
            "" | "." => return Err("its name is none"),
            _ if part.len() > NAME_MAX => return Err("its name is too long"),
            _ if is_taken_for(part, &RESERVED) => {
                return Err("its name is one that git and otrace keep for themselves");
            }
            _ => {}
        }
    }
    Ok(parts)
}

/// The name below a folder of ours for a path from anywhere: what leads out becomes a folder's name.
pub fn below(folder: &str, path: &str) -> String {
    let rooted = path.strip_prefix('/').map_or_else(|| path.to_owned(), |rest| format!("_root/{rest}"));
    let parts = rooted.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts = parts.map(|part| if part == ".." { "_up" } else { part });
    [folder].into_iter().chain(parts).collect::<Vec<_>>().join("/")
}

/// Whether some file system takes a name for one of these. They differ in what they hold to be the same: capitals,
/// characters that can't be seen, what stands at the end.
pub fn is_taken_for(part: &str, names: &[&str]) -> bool {
    let seen: String = part.chars().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase).collect();
    let name = seen.split(':').next().unwrap_or_default();
    names.contains(&name.trim_end_matches([' ', '.']))
}

/// What HFS+ leaves out when it compares names, and what nobody sees besides.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_are_taken_as_they_are() {
        for name in ["a", "src/new model.py", "a/b/c.txt", "..a", "a..", ".gitignore", "données/é.csv", "a\\b", "C:\\x"]
        {
            assert_eq!(parts(name).map(|parts| parts.join("/")).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_that_lead_out_or_into_git_are_refused() {
        let out = ["/etc/passwd", "//x", "..", "../x", "a/../../x", "a/..", "a/b/../c"];
        let none = ["", "a//b", "a/", "./a", "a/.", "a\0b"];
        let git = [".git", ".git/config", "sub/.GIT/hooks/x", ".git ", ".git.", ".git. . ", "git~1", ".Trace/spool/x"];
        let disguised = [".g\u{200c}it/config", "\u{feff}.git/x", ".git::$INDEX_ALLOCATION/x", ".otrace-incomplete"];
        for name in out.iter().chain(&none).chain(&git).chain(&disguised) {
            assert!(parts(name).is_err(), "{name:?}");
        }
        assert!(parts(&"a".repeat(256)).is_err() && parts(&"a/".repeat(3000)).is_err());
    }

    #[test]
    fn a_path_from_anywhere_has_a_place_in_our_folder() {
        assert_eq!(below("trace-artifacts", "out/a.json"), "trace-artifacts/out/a.json");
        assert_eq!(below("trace-artifacts", "/etc/./passwd"), "trace-artifacts/_root/etc/passwd");
        assert_eq!(below("trace-artifacts", "../../x"), "trace-artifacts/_up/_up/x");
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_below(name in "[./a\\-\u{200c}\0gitGIT~1:]{0,12}") {
            if let Ok(parts) = parts(&name) {
                for part in parts {
                    prop_assert!(!part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\0']));
                    prop_assert!(!part.eq_ignore_ascii_case(".git"));
                }
            }
        }
    }
}
