//! The order of the settings, without a real environment.

use uuid::Uuid;

use super::*;

fn flags(url: Option<&str>, key: Option<&str>) -> CredentialArgs {
    let (api_url, api_key) = (url.map(str::to_owned), key.map(str::to_owned));
    CredentialArgs { api_key, api_url, ..CredentialArgs::default() }
}

/// Flags that say which project is meant.
fn meant(id: &str, name: &str) -> CredentialArgs {
    let (project_id, project_name) = (Some(id.to_owned()), Some(name.to_owned()));
    CredentialArgs { project_id, project_name, ..CredentialArgs::default() }
}

/// The key's project.
fn project() -> WhoamiProject {
    WhoamiProject { id: Uuid::nil(), name: "wake-word".to_owned(), slug: "wake-word".to_owned() }
}

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn resolve(
    flags: &CredentialArgs,
    environment: &[(&str, &str)],
    env_file: &[(&str, &str)],
    saved: Option<(&str, &str)>,
) -> Result<Settings> {
    let environment = variables(environment);
    let saved = saved.map_or_else(SavedLogins::default, |(url, key)| SavedLogins::default().with(url, key));
    Settings::resolve(flags, &|name| environment.get(name).cloned(), &variables(env_file), &saved)
}

fn key_of(settings: &Settings) -> &str {
    settings.api_key().expect("a key").expose()
}

#[test]
fn the_nearest_setting_wins() {
    let environment = [("TRACE_API_URL", "http://env"), ("TRACE_API_KEY", "trc_env")];
    let env_file = [("TRACE_API_URL", "http://file"), ("TRACE_API_KEY", "trc_file")];
    let saved = Some(("http://saved", "trc_saved"));
    let flagged = flags(Some("http://flag/"), Some("trc_flag"));
    let none = flags(None, None);

    let settings = resolve(&flagged, &environment, &env_file, saved).expect("settings");
    assert_eq!((settings.api_url.as_str(), key_of(&settings)), ("http://flag", "trc_flag"));
    let settings = resolve(&none, &environment, &env_file, saved).expect("settings");
    assert_eq!((settings.api_url.as_str(), key_of(&settings)), ("http://env", "trc_env"));
    let settings = resolve(&none, &[], &env_file, saved).expect("settings");
    assert_eq!((settings.api_url.as_str(), key_of(&settings)), ("http://file", "trc_file"));
    let settings = resolve(&none, &[], &[], saved).expect("settings");
    assert_eq!((settings.api_url.as_str(), key_of(&settings)), ("http://saved", "trc_saved"));
    let settings = resolve(&none, &[], &[], None).expect("settings");
    assert_eq!(settings.api_url, DEFAULT_API_URL);
    assert!(settings.api_key().is_err());
}

#[test]
fn the_project_that_is_meant_comes_from_the_nearest_setting_too() {
    for (variable, option) in [("TRACE_PROJECT_ID", "--project-id"), ("TRACE_PROJECT_NAME", "--project-name")] {
        let told = |flag: &str, environment: &[(&str, &str)], env_file: &[(&str, &str)]| {
            let flags = if option == "--project-id" { meant(flag, "") } else { meant("", flag) };
            let saved = Some(("http://saved", "trc_saved"));
            resolve(&flags, environment, env_file, saved).expect("settings").disagreement(&project())
        };
        let of = |setting: &str, value: &str| {
            let id = Uuid::nil();
            let told =
                format!("{setting} is {value}, but the API key belongs to wake-word ({id}). Correct one of them.");
            Some(told)
        };
        let (environment, env_file) = ([(variable, "env")], [(variable, "file")]);
        assert_eq!(told("flag", &environment, &env_file), of(option, "flag"));
        assert_eq!(told(" ", &environment, &env_file), of(variable, "env"));
        assert_eq!(told("", &[], &env_file), of(variable, "file"));
        assert_eq!(told("", &[], &[]), None, "a saved login says nothing of projects");
    }
}

#[test]
fn a_flag_is_refused_at_all_and_an_id_elsewhere_where_something_changes() {
    let (id, none) = (Uuid::nil().to_string(), meant("", ""));
    let elsewhere = |name: &'static str| [(name, "other")];
    // Whether the server is asked before it is read from, and is then refused; the same before a change.
    for (flags, environment, reading, changing) in [
        (meant("other", ""), None, (true, true), (true, true)),
        (meant("", "other"), None, (true, true), (true, true)),
        (meant(&id, "wake-word"), None, (true, false), (true, false)),
        (meant(&id, ""), Some("TRACE_PROJECT_NAME"), (true, false), (true, false)),
        (meant(&id, ""), Some("TRACE_PROJECT_ID"), (true, false), (true, false)),
        (none.clone(), Some("TRACE_PROJECT_ID"), (false, false), (true, true)),
        (none.clone(), Some("TRACE_PROJECT_NAME"), (false, false), (false, false)),
        (none.clone(), None, (false, false), (false, false)),
    ] {
        let environment: Vec<_> = environment.into_iter().flat_map(elsewhere).collect();
        let settings = resolve(&flags, &environment, &[], None).expect("settings");
        let is_refused = (settings.has_project_flag(), settings.check_flags(&project()).is_err());
        assert_eq!(is_refused, reading, "{flags:?} {environment:?}");
        let is_refused = (settings.guards_changes(), settings.check_project(&project()).is_err());
        assert_eq!(is_refused, changing, "{flags:?} {environment:?}");
    }
}

#[test]
fn an_empty_variable_is_no_setting() {
    let settings = resolve(&flags(None, None), &[("TRACE_API_URL", " ")], &[], None);
    assert_eq!(settings.expect("settings").api_url, DEFAULT_API_URL);
}

#[test]
fn a_saved_key_is_sent_to_no_other_server() {
    let env_file = [("TRACE_API_URL", "http://elsewhere")];
    let saved = Some(("http://saved", "trc_saved"));
    let settings = resolve(&flags(None, None), &[], &env_file, saved).expect("settings");
    let error = settings.api_key().expect_err("no key").to_string();
    assert!(error.contains("the saved login is for http://saved"), "{error}");
}

#[test]
fn each_server_is_sent_the_key_that_was_saved_for_it() {
    let saved = SavedLogins::default().with("http://first", "trc_first").with("http://last", "trc_last");
    let at =
        |url: Option<&str>| Settings::resolve(&flags(url, None), &|_| None, &HashMap::new(), &saved).expect("settings");
    assert_eq!(key_of(&at(Some("http://first/"))), "trc_first");
    assert_eq!(key_of(&at(Some("http://last"))), "trc_last");
    assert_eq!((at(None).api_url.as_str(), key_of(&at(None))), ("http://last", "trc_last"));
    let error = at(Some("http://other")).api_key().expect_err("no key").to_string();
    assert!(error.contains("saved logins for http://first, http://last, and none is sent elsewhere"), "{error}");
}

#[test]
fn a_key_of_the_shell_is_sent_to_no_server_that_env_names() {
    let named = [("TRACE_API_URL", "https://elsewhere.example")];
    let key = [("TRACE_API_KEY", "trc_env")];
    let none = flags(None, None);
    let error = resolve(&none, &key, &named, None).expect_err("refused").to_string();
    assert_eq!(
        error,
        ".env names the server https://elsewhere.example, but the API key comes from elsewhere; \
         set TRACE_API_URL in your shell too, or keep both in .env"
    );

    let both = [named[0], ("TRACE_API_KEY", "trc_file")];
    assert_eq!(key_of(&resolve(&none, &[], &both, None).expect("settings")), "trc_file");
    let flagged = flags(None, Some("trc_flag"));
    assert_eq!(key_of(&resolve(&flagged, &key, &named, None).expect("settings")), "trc_flag");
    let in_shell = [named[0], key[0]];
    assert_eq!(key_of(&resolve(&none, &in_shell, &named, None).expect("settings")), "trc_env");
    let saved_there = Some(("https://elsewhere.example", "trc_saved"));
    assert_eq!(key_of(&resolve(&none, &[], &named, saved_there).expect("settings")), "trc_saved");
    let here = [("TRACE_API_URL", "http://127.0.0.1:8000")];
    assert_eq!(key_of(&resolve(&none, &key, &here, None).expect("settings")), "trc_env");
}

#[test]
fn only_this_machine_is_loopback() {
    for url in ["http://localhost:8000", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8000"] {
        assert!(is_loopback(url), "{url}");
    }
    for url in ["http://127.evil.example", "http://localhost.evil.example", "http://localhost@h", "http://[::2]"] {
        assert!(!is_loopback(url), "{url}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    for url in ["localhost:8000", "ftp://host", "nonsense", "http://h/?q=1", "http://"] {
        let error = resolve(&flags(Some(url), None), &[], &[], None).expect_err(url).to_string();
        assert!(error.ends_with("It looks like http://localhost:8000."), "{error}");
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_not_repeated() {
    for url in ["https://ada:secret@h", "https://secret@h", "https://:secret@h"] {
        let error = resolve(&flags(Some(url), None), &[], &[], None).expect_err(url).to_string();
        assert!(error.contains("before the @") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_key_is_never_shown() {
    let settings = resolve(&flags(None, Some("trc_secret")), &[], &[], None).expect("settings");
    assert!(!format!("{settings:?}").contains("secret"));
}
