//! The order of the settings, without a real environment.

use super::*;

fn flags(url: Option<&str>, key: Option<&str>) -> CredentialArgs {
    CredentialArgs { api_url: url.map(str::to_owned), api_key: key.map(str::to_owned) }
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
fn a_key_is_never_shown() {
    let settings = resolve(&flags(None, Some("trc_secret")), &[], &[], None).expect("settings");
    assert!(!format!("{settings:?}").contains("secret"));
}
