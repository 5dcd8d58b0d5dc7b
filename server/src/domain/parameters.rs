//! Parameters: the values of a config file by their paths, such as `train.epochs`.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::text::without_nul;

/// So many parameters of a file are told.
const PARAMETERS_MAX: usize = 2_000;
/// So long a name may be, in bytes. One that is longer is left out with all below it: each of those would have it in
/// its own name, and a small file could take gigabytes.
const PATH_MAX_BYTES: usize = 1024;
/// So much of a value is told, in characters.
const VALUE_MAX_CHARS: usize = 200;
/// So many parameters of a run are kept, to find and sort it by; the first by name.
pub const KEPT_MAX: usize = 500;
/// The longest name of one that is kept, in bytes.
pub const NAME_MAX_BYTES: usize = 256;

/// A parameter of a run, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its path in the config, such as `optimizer.lr`.
    pub name: String,
    /// What it is, as text; a long one is cut.
    pub value: String,
    /// The value where it is a number; never NaN or infinite.
    pub number: Option<f64>,
}

/// The parameters of a file in JSON, YAML or TOML, known by the ending of its path. `None`: it is another file, or
/// broken.
pub fn read(path: &str, text: &str) -> Option<BTreeMap<String, String>> {
    let (_, ending) = path.rsplit_once('.')?;
    // Each of the three stops at a depth that the stack has room for.
    let document: Value = match ending.to_lowercase().as_str() {
        "json" => serde_json::from_str(text).ok()?,
        "yaml" | "yml" => serde_saphyr::from_str(text).ok()?,
        "toml" => from_toml(toml::Value::Table(toml::from_str(text).ok()?)),
        _ => return None,
    };
    let mut parameters = BTreeMap::new();
    flatten("", document.as_object()?, &mut parameters);
    Some(parameters)
}

/// What a run keeps of what was read of its configs, by name. Of two files with the same name, the later one counts.
pub fn kept(files: impl IntoIterator<Item = BTreeMap<String, String>>) -> Vec<Parameter> {
    let is_kept = |name: &String| (1..=NAME_MAX_BYTES).contains(&name.len()) && !name.contains('\0');
    let all: BTreeMap<String, String> = files.into_iter().flatten().filter(|(name, _)| is_kept(name)).collect();
    let parameter =
        |(name, value): (String, String)| Parameter { number: number_of(&value), value: without_nul(&value), name };
    all.into_iter().take(KEPT_MAX).map(parameter).collect()
}

/// The number that a value is, also where a file has it as text, as YAML of Python has `1e-4`.
fn number_of(value: &str) -> Option<f64> {
    value.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The same as JSON. What JSON has no word for becomes a text.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => {
            Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        toml::Value::Boolean(is_so) => Value::Bool(is_so),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(from_toml).collect()),
        toml::Value::Table(table) => {
            let fields: Map<String, Value> = table.into_iter().map(|(name, value)| (name, from_toml(value))).collect();
            Value::Object(fields)
        }
    }
}

/// Lists stay whole: their places say little when one has another length.
fn flatten(above: &str, object: &Map<String, Value>, parameters: &mut BTreeMap<String, String>) {
    for (name, value) in object {
        if parameters.len() >= PARAMETERS_MAX {
            return;
        }
        if above.len() + name.len() >= PATH_MAX_BYTES {
            continue;
        }
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&path, inner, parameters),
            Value::String(text) => _ = parameters.insert(path, short(text)),
            other => _ = parameters.insert(path, short(&other.to_string())),
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        read(path, text).unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn json_yaml_and_toml_tell_the_same_parameters() {
        let expected = ["amp=true", "kd.alpha=0.7", "kd.layers=[1,2]", "loss=ce_kd", "seed=1"];
        let json = r#"{"loss": "ce_kd", "seed": 1, "amp": true, "kd": {"alpha": 0.7, "layers": [1, 2]}}"#;
        let yaml = "loss: ce_kd\nseed: 1\namp: true\nkd:\n  alpha: 0.7\n  layers: [1, 2]\n";
        let toml = "loss = 'ce_kd'\nseed = 1\namp = true\n[kd]\nalpha = 0.7\nlayers = [1, 2]\n";
        assert_eq!(told("configs/a.json", json), expected);
        assert_eq!(told("configs/a.YAML", yaml), expected);
        assert_eq!(told("configs/a.toml", toml), expected);
        assert_eq!(told("a.toml", "day = 2026-06-01\nmost = inf\n"), ["day=2026-06-01", "most=inf"]);
    }

    #[test]
    fn what_has_no_parameters_tells_none() {
        for (path, text) in
            [("a.json", "{"), ("a.json", "[1]"), ("a.toml", "a: 1"), ("Makefile", "a: b"), ("a.yml", "")]
        {
            assert_eq!(read(path, text), None, "{path}");
        }
        let long = format!("{{\"a\": \"{}\"}}", "é".repeat(1_000));
        assert_eq!(read("a.json", &long).unwrap()["a"].chars().count(), VALUE_MAX_CHARS + 1);
        let many: Map<String, Value> = (0..3_000).map(|number| (number.to_string(), number.into())).collect();
        assert_eq!(read("a.json", &Value::Object(many).to_string()).unwrap().len(), PARAMETERS_MAX);
    }

    #[test]
    fn a_file_that_is_nested_without_end_is_broken() {
        let deep = 100_000;
        for (path, text) in [
            ("a.json", "{\"a\":".repeat(deep)),
            ("a.yaml", "{a: ".repeat(deep)),
            ("a.toml", format!("a = {}", "[".repeat(deep))),
            ("a.toml", format!("a = {}1{}", "{a=".repeat(deep), "}".repeat(deep))),
            ("a.toml", format!("{}a = 1", "a.".repeat(deep))),
        ] {
            assert_eq!(read(path, &text), None, "{path}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_left_out_with_all_below_it() {
        let long = "x".repeat(PATH_MAX_BYTES / 2);
        let text = format!(r#"{{"{long}": {{"a": 1, "{long}": {{"b": 2}}}}, "{long}{long}": 3, "c": 4}}"#);
        assert_eq!(told("a.json", &text), ["c=4".to_owned(), format!("{long}.a=1")]);
    }

    #[test]
    fn a_run_keeps_so_many_parameters_and_the_later_file_counts() {
        let file = |text: &str| read("a.json", text).unwrap();
        let base = file(r#"{"lr": "1e-4", "seed": 1, "name": "nan", "": 1, "a\u0000b": 2, "note": "a\u0000b"}"#);
        let kept_of = |files: Vec<BTreeMap<String, String>>| {
            let kept = kept(files);
            kept.into_iter().map(|kept| (kept.name, kept.value, kept.number)).collect::<Vec<_>>()
        };
        let parameter = |name: &str, value: &str, number| (name.to_owned(), value.to_owned(), number);
        let expected = [
            parameter("lr", "1e-4", Some(1e-4)),
            parameter("name", "nan", None),
            parameter("note", "a\u{fffd}b", None),
            parameter("seed", "2", Some(2.0)),
        ];
        assert_eq!(kept_of(vec![base, file(r#"{"seed": 2}"#)]), expected);

        let long = format!("{{\"{}\": 1, \"{}\": 2}}", "x".repeat(NAME_MAX_BYTES), "y".repeat(NAME_MAX_BYTES + 1));
        assert_eq!(kept(vec![file(&long)]).len(), 1);
        let many: Map<String, Value> = (0..2_000).map(|number| (number.to_string(), number.into())).collect();
        assert_eq!(kept(vec![file(&Value::Object(many).to_string())]).len(), KEPT_MAX);
    }
}
